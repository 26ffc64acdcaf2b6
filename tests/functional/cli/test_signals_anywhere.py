"""Signals at any step of a command, up to three of them: no traceback, nothing left, and a last line that is true."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests import interpreter
from tests.functional.conftest import DEADLINE, Done, Home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sweeps import Some

PROGRAM: Final = Path(__file__).parents[1] / "self_signalled.py"
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
GAPS: Final = (1, 1, 2, 3, 5, 8, 20, 60, 200)
"""Steps from one signal to the next: most are sent while the one before still unwinds the command."""

WRITERS: Final = {
    "apply": ("apply", "--auto-approve", "--skip-tests", "none", "--report", "json=report.json"),
    "state forget": ("state", "forget", "info", "--yes"),
    "state import": ("state", "import", "state.json", "--state", "sqlite:///other.db"),
}
COMMANDS: Final = {**WRITERS, "validate": ("validate",), "fmt": ("fmt",), "status": ("status",)}
TRACES: Final = ("Traceback", "Exception", 'File "', "sqlalchemy", "Error:")
USUAL: Final = {
    ".gitignore",
    "fingerprint.key",
    "report.json",
    "state.db",
    "state.json",
    "other.db",
}


@pytest.fixture
def applied(home: Home) -> Home:
    home.apply_untested()
    assert home("state", "export", "--out", "state.json").status == 0
    home.edit("info.yaml", "General enquiries", "Help desk")
    return home


def signalled(
    home: Home, command: Sequence[str], steps: Sequence[int], numbers: Sequence[int], counts: str = ""
) -> Done:  # fmt: skip
    settings = json.dumps({"steps": steps, "numbers": numbers, "counts": counts})
    done = interpreter.run(
        [sys.executable, str(PROGRAM), settings, *command],
        cwd=home.folder, env=home.untraced, input="", capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def copied(home: Home, folder: Path) -> Home:
    shutil.copytree(home.folder, folder)
    copy = Home(folder)
    copy.environ |= home.environ | {"HOME": str(folder)}
    return copy


def stored(path: Path) -> tuple[int, str]:
    """The serial of a state, and the token of its lease."""
    if not path.exists():
        return 0, ""
    with closing(sqlite3.connect(path)) as database:
        serials = database.execute("SELECT serial FROM meta").fetchall()
        tokens = database.execute("SELECT token FROM lock").fetchall()
    return (serials[0][0] if serials else 0), (tokens[0][0] if tokens else "")


@pytest.mark.parametrize("command", COMMANDS)
def test_any_number_of_signals_at_any_step_leaves_a_true_last_line(
    applied: Home, command: str, tmp_path: Path, some: Some
) -> None:
    counts = tmp_path / "counts"
    usual = signalled(copied(applied, tmp_path / "usual"), COMMANDS[command], [], [], str(counts))
    assert usual.status == 0, usual.said
    calls = int(counts.read_text("ascii"))
    chance = random.Random(command)
    for number in some(range(9)):
        home = copied(applied, tmp_path / f"{number}")
        # Half of them hit the end, where least is left to catch them.
        first = calls - chance.randrange(300) if number % 2 else chance.randrange(1, calls)
        steps = [first, *(chance.choice(GAPS) for _ in range(number % 3))]
        numbers = [chance.choice(SIGNALS).value for _ in steps]
        done = signalled(home, COMMANDS[command], steps, numbers)
        check(home, command, done, steps, numbers)


def check(home: Home, command: str, done: Done, steps: list[int], numbers: list[int]) -> None:
    facts = f"{steps} {numbers} {done}"
    assert not [trace for trace in TRACES if trace in done.said], facts
    assert done.status in {0, 1, 11, 130}, facts
    name = "other.db" if command == "state import" else ".reconciler/state.db"
    serial, token = stored(home.folder / name)
    if len(steps) < 3:  # the third ends the process where it is
        assert not token, facts
        files = {path.name for path in home.folder.rglob("*") if path.is_file()}
        assert {name for name in files if not name.endswith(".yaml")} <= USUAL, facts
    if command not in WRITERS:
        return
    wrote = serial > (0 if command == "state import" else 1)
    true = f"Revision {serial} was written." if wrote else "Nothing was written."
    last = (done.err.splitlines() or [""])[-1]
    if done.status in {11, 130}:
        assert last == true, facts
        assert done.status == (11 if wrote else 130), facts
    elif done.status == 1:
        assert "may have been written" in last, facts
    else:
        assert wrote, facts


def test_the_third_signal_ends_the_process_where_it_is(applied: Home) -> None:
    # A transaction waits for the end of another one, and is neither done nor undone when the process ends.
    script = f"""
import os, signal, sys
from reconciler.state.sql import writing

def hangs(*_):
    for number in ({int(signal.SIGTERM)}, {int(signal.SIGINT)}, {int(signal.SIGTERM)}):
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            pass  # as code does that will not be interrupted
    os._exit(99)

writing.commit = hangs
from reconciler.cli.entry import run
run()
"""
    done = interpreter.run(
        [sys.executable, "-c", script, *WRITERS["apply"]],
        cwd=applied.folder, env=applied.environ, capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "Interrupted.",
        "Revision 2 may have been written; `reconciler history` shows it.",
    ]


def test_a_signal_during_interpreter_shutdown_changes_nothing(applied: Home) -> None:
    script = f"""
import atexit, os
atexit.register(os.kill, os.getpid(), {int(signal.SIGTERM)})
class Late:
    def __del__(self, kill=os.kill, own=os.getpid()):
        kill(own, {int(signal.SIGINT)})
late = Late()
from reconciler.cli.entry import run
run()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "status"],
        cwd=applied.folder, env=applied.environ, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
