"""What a failure is about: which half of which connector, at which stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.probe.half import Half
from reconciler.probe.result import Stage


@dataclass(frozen=True, slots=True)
class Where:
    """At which stage of testing what it happened; ``show`` makes a server's text fit to be shown."""

    half: Half
    stage: Stage
    show: Callable[[str], str]

    @property
    def names(self) -> dict[str, str]:
        """What causes and remedies may name."""
        half = self.half
        return {"host": half.host, "user": half.username, "address": half.address}
