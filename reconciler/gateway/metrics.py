"""The gateway's metrics, in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""


class Metrics:
    """Counters and gauges; threads share it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._mails: Counter[tuple[str, str, str, str]] = Counter()
        self._sign_ins: Counter[str] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._observed = 0
        self.connections = 0
        self.under_way = 0

    def mail(
        self,
        connector: str,
        application: str,
        result: str,
        code: str,
        seconds: float | None = None,
    ) -> None:
        """Count a mail that was answered. ``code`` is the reply; its first digit is the class.

        ``connector`` is empty for a mail without a route, ``seconds`` None for one that was refused for
        lack of room.
        """
        with self._turn:
            self._mails[connector, application, result, f"{code[:1]}yz"] += 1
            if seconds is None:
                return
            self._seconds += seconds
            self._observed += 1
            for bound in _BUCKETS:
                self._buckets[bound] += seconds <= bound

    def sign_in(self, result: str) -> None:
        """Count an attempt to sign in."""
        with self._turn:
            self._sign_ins[result] += 1

    def text(self, *, age: float, serial: int) -> str:
        """Return the metrics.

        ``age`` is how many seconds ago the state was reached, ``serial`` its revision.
        """
        with self._turn:
            lines = ["# TYPE reconciler_gateway_mails_total counter"]
            for (connector, application, result, reply), count in sorted(self._mails.items()):
                labels = (
                    f'connector="{connector}",application="{application}",'
                    f'result="{result}",class="{reply}"'
                )
                lines.append(f"reconciler_gateway_mails_total{{{labels}}} {count}")
            lines.append("# TYPE reconciler_gateway_sign_ins_total counter")
            for name, count in sorted(self._sign_ins.items()):
                lines.append(f'reconciler_gateway_sign_ins_total{{result="{name}"}} {count}')
            lines.append("# TYPE reconciler_gateway_handover_seconds histogram")
            lines += [
                f'reconciler_gateway_handover_seconds_bucket{{le="{bound}"}} {self._buckets[bound]}'
                for bound in _BUCKETS
            ]
            lines += [
                f'reconciler_gateway_handover_seconds_bucket{{le="+Inf"}} {self._observed}',
                f"reconciler_gateway_handover_seconds_sum {self._seconds:.6f}",
                f"reconciler_gateway_handover_seconds_count {self._observed}",
            ]
        for name, value in (
            ("connections", self.connections),
            ("mails_under_way", self.under_way),
            ("snapshot_age_seconds", round(age, 3)),
            ("snapshot_serial", serial),
        ):
            lines += [
                f"# TYPE reconciler_gateway_{name} gauge",
                f"reconciler_gateway_{name} {value}",
            ]
        return "\n".join(lines) + "\n"
