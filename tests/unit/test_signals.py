"""Signals that come where an exception would do harm, or get lost."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests import interpreter
from tests.functional.conftest import DEADLINE

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = """
import os, signal, sys, time
from reconciler import signals

def send():
    os.kill(os.getpid(), signal.SIGTERM)

signals.raise_interrupt_on_signals()
"""

WAIT = """
try:
    time.sleep(50)
except KeyboardInterrupt:
    print("interrupted")
"""


def said_by(code: str, folder: Path) -> tuple[int, str, str]:
    done = interpreter.run(
        [sys.executable, "-c", f"{BEGIN}\n{code}"],
        cwd=folder, env={"LANG": "C.UTF-8"}, capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


FINALIZERS = {
    "object": "class Gone:\n    def __del__(self):\n        send()\nGone()",
    "weak reference": "import weakref\nclass Gone: pass\ngone = Gone()\n"
    "kept = weakref.ref(gone, lambda _: send())\ndel gone",
    "generator": "def steps():\n    try:\n        yield\n    finally:\n        send()\n"
    "begun = steps()\nnext(begun)\ndel begun",
}


@pytest.mark.parametrize("code", FINALIZERS.values(), ids=FINALIZERS)
def test_an_interrupt_within_a_finalizer_comes_after_it(code: str, tmp_path: Path) -> None:
    assert said_by(f"{code}\n{WAIT}", tmp_path) == (0, "interrupted\n", "")


def test_an_import_is_completed_first(tmp_path: Path) -> None:
    module = "import __main__\nclass Told:\n    def __set_name__(self, owner, name):\n"
    module += "        __main__.send()\nclass Owner:\n    told = Told()\ncomplete = True\n"
    (tmp_path / "interrupted.py").write_text(module, "ascii")
    code = f"sys.path.insert(0, '.')\nimport interrupted\nprint(interrupted.complete)\n{WAIT}"
    assert said_by(code, tmp_path) == (0, "True\ninterrupted\n", "")


def test_long_work_acts_on_a_signal_where_it_does_no_harm(tmp_path: Path) -> None:
    code = """
try:
    with signals.deferred():
        signals.act_on_signal()
        send()
        print("waiting")
        signals.act_on_signal()
        print("never")
except KeyboardInterrupt:
    print("interrupted")
with signals.deferred():
    signals.act_on_signal()
"""
    assert said_by(code, tmp_path) == (0, "waiting\ninterrupted\n", "")


def test_two_signals_interrupt_and_the_third_ends_the_process(tmp_path: Path) -> None:
    code = """
signals.end_at_once_with(lambda: (42, "the last words\\n"))
for number in range(3):
    try:
        send()
        time.sleep(50)
    except KeyboardInterrupt:
        print(number, flush=True)
"""
    assert said_by(code, tmp_path) == (42, "0\n1\n", "the last words\n")


def test_a_command_that_is_decided_is_not_interrupted(tmp_path: Path) -> None:
    code = "signals.settle_signals()\nsend()\nsend()\nprint('through')"
    assert said_by(code, tmp_path) == (0, "through\n", "")


def test_a_signal_before_the_handler_was_installed_counts(tmp_path: Path) -> None:
    code = """
signals.note_signals()
send()
print("noted")
try:
    signals.raise_interrupt_on_signals()
except KeyboardInterrupt:
    print("interrupted")
"""
    assert said_by(code, tmp_path) == (0, "noted\ninterrupted\n", "")


def test_other_exceptions_that_cannot_be_raised_are_shown(tmp_path: Path) -> None:
    code = "class Gone:\n    def __del__(self):\n        raise ValueError('ours')\nGone()"
    status, out, err = said_by(code, tmp_path)
    assert (status, out) == (0, "")
    assert "ValueError: ours" in err
    assert signal.SIGTERM.name not in err
