"""``/healthz``, ``/readyz`` and ``/metrics``, on a separate address."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.gateway.handover import Handover
    from reconciler.gateway.metrics import Metrics

_SECONDS: Final = 5.0
"""Seconds for a request and its answer."""
_LONGEST: Final = 8192


class StatusPages:
    """Answers GET and HEAD.

    ``problem`` says why the state is unavailable, ``is_ending`` whether a signal arrived.
    """

    def __init__(
        self,
        handover: Handover,
        metrics: Metrics,
        problem: Callable[[], str],
        is_ending: Callable[[], bool],
    ) -> None:
        self._handover = handover
        self._metrics = metrics
        self._problem = problem
        self._is_ending = is_ending

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head[:_LONGEST].decode("ascii", "replace")))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # the client has gone, or never finished its request
        finally:
            writer.close()

    def _answer(self, head: str) -> bytes:
        method, _, rest = head.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        status, kind, text = self._page(path) if method in ("GET", "HEAD") else _NOT_ALLOWED
        body = text.encode()
        lines = (
            f"HTTP/1.1 {status}",
            f"Content-Type: {kind}; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        start = ("\r\n".join(lines) + "\r\n\r\n").encode()
        return start if method == "HEAD" else start + body

    def _page(self, path: str) -> tuple[str, str, str]:
        handover = self._handover
        match path:
            case "/metrics":
                text = self._metrics.text(age=handover.age, serial=handover.serial)
                return "200 OK", "text/plain; version=0.0.4", text
            case "/healthz":
                problem = self._problem()
                health = {
                    "status": "degraded" if problem else "ok",
                    "serial": handover.serial,
                    "snapshot_age_seconds": round(handover.age, 3),
                    **({"problem": problem} if problem else {}),
                }
                return "200 OK", "application/json", json.dumps(health) + "\n"
            case "/readyz":
                is_ready = handover.serial >= 0 and not self._is_ending()
                status = "200 OK" if is_ready else "503 Service Unavailable"
                return status, "text/plain", "ready\n" if is_ready else "not ready\n"
            case _:
                return "404 Not Found", "text/plain", "not found\n"


_NOT_ALLOWED: Final = ("405 Method Not Allowed", "text/plain", "only GET and HEAD\n")
