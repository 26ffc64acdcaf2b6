"""Processes to measure, and how to judge the figures on a machine that does other work too.

Noise only adds time. So a time is the shortest of several, and two sides are measured in turns, so
that a busy minute affects both. The number of runs is fixed: measuring again after a missed limit would
favour passing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

ROOT = Path(__file__).parents[2]
RECONCILER = str(Path(sys.executable).parent / "reconciler")
"""The program, as it is installed."""

_COMPILED = tempfile.TemporaryDirectory(prefix="bytecode-")
_AS_INSTALLED: Final = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": _COMPILED.name}
"""Bytecode is compiled once, as for an installed program, whatever the environment of the tests says; on both sides."""


def measured(module: str, *arguments: object) -> Any:
    """Run a module of the benchmarks, and take what it prints as JSON."""
    command = (sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments))
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def cpu_seconds(
    *command: str,
    cwd: Path = ROOT,
    environ: Mapping[str, str] = MappingProxyType({}),
    reading: Path = Path(os.devnull),
) -> float:
    """The CPU time that a command takes from its start to its end, in itself and in the system; it reads a file."""
    with reading.open("rb") as given, subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **_AS_INSTALLED, **environ}, stdin=given,
        stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def clock_seconds(work: Callable[[], object]) -> float:
    """Seconds that pass meanwhile."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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
        # It ends with its input; its messages about cut connections are not read.
        self._process.communicate(timeout=30)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of the first to the second: the median of the pairs, and the extremes."""

    median: float
    lowest: float
    highest: float
    pairs: int

    def __str__(self) -> str:
        return (
            f"{self.median:.2f} (median of {self.pairs}; {self.lowest:.2f} to {self.highest:.2f})"
        )


def compared(first: Callable[[], float], second: Callable[[], float], *, pairs: int = 9) -> Ratio:
    """Measure both in turns, so many times: the median of the pairs counts."""
    ratios: list[float] = []
    for number in range(pairs):
        # They take turns going first, so that a rising or falling load favours neither.
        if number % 2:
            below, above = second(), first()
        else:
            above, below = first(), second()
        ratios.append(above / below)
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), pairs)


def sorted_times(take: Callable[[], float], *, count: int = 5) -> list[float]:
    """Measure so many times; the times, shortest first."""
    return sorted(take() for _ in range(count))
