"""Gateways that share a state and are killed, one after the other, without a warning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.benchmarks.cpu import memory_of, of_tree
from tests.servers.loopback import LOOPBACK, free_port, greets, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.servers.workplace import Workplace


class KilledGateways:
    """``count`` gateways; every ``seconds`` the next of them is killed with -9 and started again.

    ``kills`` counts them. ``cpu`` is what all of them took, and ``start_cpu`` what a start of one took.
    """

    def __init__(self, workplace: Workplace, folder: Path, count: int, seconds: float) -> None:
        self.ports = [free_port() for _ in range(count)]
        self.kills = 0
        self.starts: list[float] = []
        self.memory = 0
        self.ended_cpu = 0.0
        self._workplace = workplace
        self._logs = [folder / f"gateway-{place}.log" for place in range(count)]
        self._seconds = seconds
        self._processes: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()
        self._killer = threading.Thread(target=self._kill)
        self.problems: list[BaseException] = []

    def __enter__(self) -> Self:
        self._processes = [self._started(place) for place in range(len(self.ports))]
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.spare()
        for process in self._processes:
            self._end(process, signal.SIGTERM)

    @property
    def start_cpu(self) -> float:
        """Seconds of CPU from the start of a gateway until it greets."""
        return sum(self.starts) / len(self.starts)

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far, without what the starts took."""
        running = sum(of_tree(process.pid) for process in self._processes)
        return self.ended_cpu + running - sum(self.starts)

    def begin(self) -> None:
        """Start killing."""
        self._killer.start()

    def spare(self) -> None:
        """Stop killing, and wait until all of them run."""
        self._over.set()
        if self._killer.is_alive():
            self._killer.join()

    def log(self) -> str:
        """What the gateways have said, except about single mails."""
        return "".join(
            line
            for path in self._logs
            for line in path.read_text(errors="replace").splitlines(keepends=True)
            if '"event": "mail"' not in line
        )

    def _kill(self) -> None:
        place = 0
        try:
            while not self._over.wait(self._seconds):
                self._end(self._processes[place], signal.SIGKILL)
                self.kills += 1
                self._processes[place] = self._started(place)
                place = (place + 1) % len(self.ports)
        except BaseException as error:  # noqa: BLE001 - the thread of the test says so
            self.problems.append(error)

    def _end(self, process: subprocess.Popen[bytes], how: signal.Signals) -> None:
        with suppress(OSError):
            self.memory = max(self.memory, memory_of(process.pid))
        process.send_signal(how)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.ended_cpu += usage.ru_utime + usage.ru_stime

    def _started(self, place: int) -> subprocess.Popen[bytes]:
        port = self.ports[place]
        with self._logs[place].open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "reconciler", "gateway", "--plain", f"{LOOPBACK}:{port}",
                    "--status", "none", "--at-once", "100",
                ],
                cwd=self._workplace.folder, env=self._workplace.environ,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        wait_until(lambda: greets(port, b"220 "), "a gateway greets", seconds=120)
        self.starts.append(of_tree(process.pid))
        return process
