"""Processes to measure, and what to make of what they say on a machine that does other things too.

Noise only ever adds. So a time is the shortest of several, and what is compared is measured in turns, so
that a busy minute meets both sides alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ROOT = Path(__file__).parents[2]
RECONCILER = str(Path(sys.executable).parent / "reconciler")
"""The program, as it is installed."""


def measured(module: str, *arguments: object) -> Any:
    """Run a module of the benchmarks, and take what it prints as JSON."""
    command = (sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments))
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def cpu_seconds(*command: str, cwd: Path = ROOT) -> float:
    """The CPU time that a command takes from its start to its end, in itself and in the system."""
    with subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


class Server:
    """A module of the benchmarks that prints so many ports and serves until its input ends."""

    def __init__(self, module: str, ports: int, *arguments: object) -> None:
        command = (sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments))
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.ports = [int(self._process.stdout.readline()) for _ in range(ports)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Its input ends, and so does it; what it had to say about connections that were cut is not read.
        self._process.communicate(timeout=30)


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much more the first takes than the second: the median of pairs, and the extremes."""

    median: float
    lowest: float
    highest: float
    pairs: int

    def __str__(self) -> str:
        return (
            f"{self.median:.2f} (median of {self.pairs}; {self.lowest:.2f} to {self.highest:.2f})"
        )


def compared(
    first: Callable[[], float],
    second: Callable[[], float],
    *,
    at_most: float,
    pairs: int = 5,
    most: int = 15,
) -> Ratio:
    """Measure both in turns; where the median is above the limit, more pairs are made before it is believed."""
    ratios: list[float] = []
    while len(ratios) < pairs or (statistics.median(ratios) > at_most and len(ratios) < most):
        # Who goes first changes, so that what rises or falls meanwhile favours nobody.
        if len(ratios) % 2:
            below, above = second(), first()
        else:
            above, below = first(), second()
        ratios.append(above / below)
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), len(ratios))


def shortest(take: Callable[[], float], *, at_most: float, most: int = 8) -> list[float]:
    """Measure until one time is within the limit; the times, the shortest first."""
    times = [take()]
    while min(times) > at_most and len(times) < most:
        times.append(take())
    return sorted(times)
