"""A process that is forked does what an interpreter does that is started."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.main import COMMANDS
from tests import interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are forked on Linux alone"
)

EXAMPLE = Path(__file__).parents[1] / "connectors.d"
SEE = """
import json, os, signal, socket, sys, threading
print(json.dumps({
    "argv": sys.argv, "path": sys.path[0], "orig_argv": sys.orig_argv, "name": __name__,
    "main": sys.modules["__main__"].__dict__ is globals(),
    "environ": dict(os.environ), "folder": os.getcwd(), "umask": os.umask(0o22),
    "parent": os.getppid(), "session": os.getsid(0) == os.getpid(), "group": os.getpgrp() == os.getpid(),
    "threads": threading.active_count(),
    "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
    "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd") if int(name) < 1000),
    "streams": [
        (stream.name, stream.mode, stream.encoding, stream.errors, stream.line_buffering,
         stream.write_through, stream.newlines, stream.isatty(), stream is getattr(sys, f"__{name}__"),
         type(stream.buffer).__name__, type(stream.buffer.raw).__name__, stream.buffer.raw.closefd)
        for name in ("stdin", "stdout", "stderr") for stream in [getattr(sys, name)]
    ],
    "flags": str(sys.flags), "warnings": sys.warnoptions, "recursion": sys.getrecursionlimit(),
    "text": sys.stdin.read(),
}))
"""
"""Prints what a program can find out about its process."""

ENDINGS = [
    "",
    "import sys; sys.exit()",
    "import sys; sys.exit(3)",
    "import sys; sys.exit(256 + 7)",
    "import sys; sys.exit('a sentence')",
    "raise ValueError('a traceback')",
    "raise KeyboardInterrupt",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "import os; print('lost'); os._exit(5)",
    "import sys; sys.stdout.write('no end of a line'); sys.stderr.write('either')",
    "import atexit; atexit.register(print, 'at the end'); print('first')",
    "import threading, time; threading.Timer(0.1, print, ['a thread']).start(); print('main')",
    "import sys; sys.stdout.close()",
    "import os, sys; print('x'); os.close(1)",
    "import os; print(input(), input()); print(os.read(0, 9))",
]


def start_and_wait(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    done: subprocess.CompletedProcess[Any] = subprocess.run(command, check=False, **options)
    return done


WAYS: tuple[Callable[..., subprocess.CompletedProcess[Any]], ...] = interpreter.run, start_and_wait


@pytest.fixture
def both(tmp_path: Path) -> Callable[..., tuple[Any, Any]]:
    """Run a program as a forked process, and with an interpreter of its own."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": interpreter.LOCALE,
        "TZ": "Asia/Tokyo",
        "RECONCILER_ACTOR": "lead@contoso.example",
    }

    def run(*arguments: str, folder: Path = tmp_path, **options: Any) -> tuple[Any, Any]:
        command = [sys.executable, *arguments]
        settings: dict[str, Any] = {
            "cwd": folder,
            "env": environ,
            "capture_output": True,
            "timeout": 60,
        } | options
        forked = interpreter.run(command, **settings)
        fresh = start_and_wait(command, **settings)
        return forked, fresh

    return run


def seen(done: subprocess.CompletedProcess[bytes]) -> tuple[int, bytes, bytes]:
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("session", [False, True])
def test_a_program_finds_itself_in_the_same_process(
    session: bool, both: Callable[..., tuple[Any, Any]]
) -> None:
    forked, fresh = both("-c", SEE, "a", "-b", "ä", input=b"text", start_new_session=session)
    assert json.loads(forked.stdout) == json.loads(fresh.stdout)
    assert (forked.returncode, forked.stderr) == (0, b"")
    assert json.loads(forked.stdout)["parent"] == os.getpid()


def test_so_does_a_script_and_a_module(
    both: Callable[..., tuple[Any, Any]], tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SEE.replace('"main"', '"file": __file__, "main"'))
    forked, fresh = both(str(script), "x", input=b"")
    assert json.loads(forked.stdout) == json.loads(fresh.stdout)
    forked, fresh = both("-m", "script", "x", input=b"")
    assert json.loads(forked.stdout) == json.loads(fresh.stdout)


@pytest.mark.parametrize("code", ENDINGS)
def test_it_ends_in_the_same_way(code: str, both: Callable[..., tuple[Any, Any]]) -> None:
    forked, fresh = (seen(done) for done in both("-c", code, input=b"one\ntwo\nthree"))
    assert forked[:2] == fresh[:2]
    # A traceback names, above our program, who called it.
    assert forked[2].splitlines()[-1:] == fresh[2].splitlines()[-1:]


def test_an_unwritable_stream_is_reported_in_the_status(
    both: Callable[..., tuple[Any, Any]],
) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        options = {"stdout": full, "stderr": subprocess.PIPE, "capture_output": False}
        forked, fresh = both("-c", "print('x')", **options)
    assert forked.returncode == fresh.returncode == 120


def test_each_has_the_time_zone_of_its_environment(both: Callable[..., tuple[Any, Any]]) -> None:
    forked, fresh = both("-c", "import time; print(time.tzname, time.localtime(0).tm_hour)")
    assert forked.stdout == fresh.stdout == b"('JST', 'JST') 9\n"


def test_a_forked_process_leaves_nothing_to_the_next(both: Callable[..., tuple[Any, Any]]) -> None:
    both("-c", "import os, click; os.environ['X'] = 'x'; click.left = 1; os.chdir('/')")
    forked, _ = both("-c", "import os, click; print(os.environ.get('X'), hasattr(click, 'left'))")
    assert forked.stdout == b"None False\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE])
def test_a_signal_reaches_it(number: signal.Signals) -> None:
    code = "import signal; print('ready', flush=True); signal.pause()"
    environ = {"PATH": os.environ["PATH"], "LANG": interpreter.LOCALE}
    statuses, last = [], []
    for start in (interpreter.Popen, subprocess.Popen):
        with start(
            [sys.executable, "-c", code],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(number)
            if number == signal.SIGPIPE:  # which Python ignores
                process.kill()
            last.append(process.communicate(timeout=30)[1].splitlines()[-1:])
        statuses.append(process.returncode)
    assert statuses[0] == statuses[1] < 0
    assert last[0] == last[1]


def test_many_at_once_are_not_confused() -> None:
    environ = {"PATH": os.environ["PATH"], "LANG": interpreter.LOCALE}
    command = [
        sys.executable,
        "-c",
        "import os, sys; print(os.getpid()); sys.exit(int(sys.argv[1]))",
    ]
    running = [
        interpreter.Popen([*command, str(number)], env=environ, stdout=subprocess.PIPE)
        for number in range(20)
    ]
    for number, process in enumerate(running):
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, int(out)) == (number, process.pid)


def test_a_missing_folder_is_an_error_as_usual(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "LANG": interpreter.LOCALE}
    for start in (interpreter.Popen, subprocess.Popen):
        with pytest.raises(FileNotFoundError) as caught:
            start([sys.executable, "-c", ""], env=environ, cwd=tmp_path / "missing")
        assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize(
    "changed",
    [{"PYTHONIOENCODING": "ascii"}, {"LANG": "C"}, {"LC_ALL": "C.UTF-8"}, {"COVERAGE_X": "1"}],
)
def test_what_only_a_start_can_give_is_given_by_a_start(changed: dict[str, str]) -> None:
    environ = {"PATH": os.environ["PATH"], "LANG": interpreter.LOCALE}
    code = "import sys; print('reconciler.cli.main' in sys.modules)"
    for options, settings, forked in (
        ([], environ, True),
        ([], environ | changed, False),
        (["-B"], environ, False),
    ):
        command = [sys.executable, *options, "-c", code]
        done = interpreter.run(command, env=settings, capture_output=True, timeout=60)
        assert done.stdout == f"{forked}\n".encode()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Two folders with the shipped example, applied in each by what is compared."""
    parent = tmp_path_factory.mktemp("folders")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(parent),
        "LANG": interpreter.LOCALE,
        "RECONCILER_ACTOR": "mail-lead@contoso.example",
        "RECONCILER_ALLOW_CREDENTIAL": "*",
    }
    pair = parent / "forked", parent / "fresh"
    apply = [sys.executable, "-m", "reconciler", "apply", "--auto-approve", "--skip-tests", "none"]
    for folder, run in zip(pair, WAYS, strict=True):
        shutil.copytree(EXAMPLE, folder / "connectors.d")
        assert run(apply, cwd=folder, env=environ, timeout=60, capture_output=True).returncode == 0
    yield pair
    shutil.rmtree(parent)


ARGUMENTS = {
    "apply": "--auto-approve --skip-tests none",
    "diff": "0 1",
    "doctor": "support",
    "fmt": "--check",
    "init": "--config fresh.d",
    "rollback": "1",
    "route": "--as info@contoso.example",
    "schema": "connectors",
    "send": "--help",
    "sendmail": "a@x.example",
    "show": "support",
    "state": "lock",
    "sandbox": "true",
}
"""Arguments with which each command does something that the example allows."""


def lines_of(said: bytes, folder: Path) -> list[bytes]:
    """The output, except for the folder, ports that are free by chance, and the milliseconds that it took."""
    said = re.sub(rb"127\.0\.0\.1:\d+", b"127.0.0.1:PORT", said)
    said = re.sub(rb" +\d+ ms", b" ms", said.replace(bytes(folder), b""))
    # The two states were made one after the other, so a minute may have ended between them.
    return sorted(re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d", b"YYYY-MM-DD hh:mm", said).splitlines())


@pytest.mark.sweep
@pytest.mark.parametrize("command", [*COMMANDS, "--help", "--version", "no-such-command"])
def test_every_command_says_the_same(command: str, folders: tuple[Path, Path]) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "LANG": interpreter.LOCALE,
        "RECONCILER_ACTOR": "mail-lead@contoso.example",
        "RECONCILER_ALLOW_CREDENTIAL": "*",
    }
    arguments = [command, *ARGUMENTS.get(command, "").split()]
    forked, fresh = (
        run(
            [sys.executable, "-m", "reconciler", *arguments],
            cwd=folder,
            env=environ | {"HOME": str(folder)},
            input=b"",
            capture_output=True,
            timeout=60,
        )
        for folder, run in zip(folders, WAYS, strict=True)
    )
    assert forked.returncode == fresh.returncode
    for ours, theirs in ((forked.stdout, fresh.stdout), (forked.stderr, fresh.stderr)):
        # Connectors are tested at the same time, and told in the order in which they end.
        assert lines_of(ours, folders[0]) == lines_of(theirs, folders[1])
    assert b"Traceback" not in forked.stderr
