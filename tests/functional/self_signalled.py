"""A command line that sends itself signals after so many steps, each so many steps after the one before.

    python self_signalled.py SETTINGS COMMAND...

``SETTINGS`` is JSON: ``steps`` before each signal, ``numbers`` of the signals, and ``counts``, a file that gets the
number of steps if no signal is sent. Up to the first signal, steps are calls, of functions in Python and in C alike.
An exception leaves no way to count on as before, so the steps to the second are lines, those to the third calls again.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType


class SelfSignals:
    """Counts the steps of the main thread, and sends the signals."""

    def __init__(self, steps: list[int], numbers: list[int]) -> None:
        self._steps, self._numbers = steps, numbers
        self._by_lines = False
        self.count = 0

    def begin(self) -> None:
        """Count from here on."""
        sys.setprofile(self._call)

    def _call(self, frame: FrameType, event: str, _: object) -> None:
        if not self._by_lines and event in {"call", "c_call"}:
            self._step(frame)

    def _line(self, frame: FrameType, event: str, _: object) -> Any:
        if self._by_lines and event in {"call", "line"}:
            self._step(frame)
        return self._line

    def _step(self, frame: FrameType) -> None:
        self.count += 1
        if not self._steps or self.count != self._steps[0]:
            return
        self.count = 0
        del self._steps[0]
        if not self._steps:
            sys.setprofile(None)
            sys.settrace(None)
        elif self._by_lines:
            sys.setprofile(self._call)
        else:
            sys.settrace(self._line)
            around: FrameType | None = frame
            while around is not None:
                around.f_trace = self._line
                around = around.f_back
        self._by_lines = not self._by_lines
        os.kill(os.getpid(), self._numbers.pop(0))


def main() -> None:
    """Run the command as the settings say."""
    settings: dict[str, Any] = json.loads(sys.argv.pop(1))
    signals = SelfSignals(settings["steps"], settings["numbers"])

    def count() -> None:
        sys.setprofile(None)
        Path(settings["counts"]).write_text(str(signals.count), "ascii")

    if settings["counts"]:
        atexit.register(count)
    from reconciler.cli.entry import run

    signals.begin()
    run()


if __name__ == "__main__":
    main()
