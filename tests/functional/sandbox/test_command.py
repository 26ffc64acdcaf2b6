from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.sandbox.command import run_command, script_folder, signals_awaited
from reconciler.sandbox.session import Sandbox, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.connector import Connector

DEADLINE = 20


@pytest.fixture
def session(tmp_path: Path, connector: Callable[..., Connector]) -> Iterator[Session]:
    with Sandbox((connector(),), tmp_path / "box") as session:
        yield session


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_the_status_is_that_of_the_command_as_a_shell_tells_it(
    script: str, status: int, session: Session
) -> None:
    ended = run_command(session, ["/bin/sh", "-c", script], os.environ)
    assert (ended.status, ended.problem) == (status, "")


def test_a_missing_command_exits_with_127(session: Session) -> None:
    ended = run_command(session, ["no-such-command", "x"], os.environ)
    assert ended.status == 127
    assert ended.problem == "no-such-command: command not found"


def test_a_command_that_is_not_executable_is_126(session: Session, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no script")
    assert run_command(session, [str(tmp_path / "text")], os.environ).status == 126
    (tmp_path / "text").chmod(0o700)
    ended = run_command(session, [str(tmp_path / "text")], os.environ)
    assert ended.status == 126
    assert ended.problem.startswith(f"{tmp_path / 'text'}: cannot be executed: ")


def test_the_command_gets_the_secrets_on_top_of_the_given_environment(
    session: Session, tmp_path: Path
) -> None:
    script = f'printf "%s %s %s" "$SUPPORT" "$MINE" "$RECONCILER_CA_FILE" > {tmp_path}/out'
    environ = {"PATH": os.environ["PATH"], "MINE": "kept", "SUPPORT": "the real one"}
    assert run_command(session, ["sh", "-c", script], environ).status == 0
    expected = f"{session.environment['SUPPORT']} kept {session.environment['RECONCILER_CA_FILE']}"
    assert (tmp_path / "out").read_text() == expected
    assert environ["SUPPORT"] == "the real one"


def test_our_own_script_is_found_first(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin" / "reconciler"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexit 42\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "argv", [str(script), "sandbox"])
    for environ in ({"PATH": os.environ["PATH"]}, {"PATH": ""}, {}):
        assert run_command(session, ["reconciler"], environ).status == 42


def test_the_folder_of_the_script_is_that_of_the_program_or_else_of_the_interpreter(
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "reconciler").touch(mode=0o700)
    (tmp_path / "c").mkdir()
    a, b, c = (str(tmp_path / name / "x") for name in "abc")
    assert script_folder(a, b) == tmp_path / "a"
    assert script_folder(c, b) == tmp_path / "b"
    assert script_folder(c, c) is None


SANDBOX = """
import os, sys
from pathlib import Path
from reconciler.sandbox.command import run_command
from reconciler.sandbox.session import Sandbox
if os.isatty(0):
    import fcntl, termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
with Sandbox((), Path(sys.argv[1])) as session:
    ended = run_command(session, sys.argv[2:], os.environ)
sys.exit(ended.status)
"""

COUNTER = """
import signal, sys
heard = []
awaited = [signal.SIGINT, signal.SIGTERM]
signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
print("ready", flush=True)
while signal.SIGTERM not in heard:
    heard.append(signal.sigwait(awaited))
    print("heard", int(heard[-1]), flush=True)
print("ints", heard.count(signal.SIGINT), flush=True)
sys.exit(5)
"""


def start(tmp_path: Path, **settings: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", SANDBOX, str(tmp_path)]
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [*command, sys.executable, "-c", COUNTER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **settings,
    )


def expect(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == line + "\n"


def finish(process: subprocess.Popen[str]) -> str:
    """Let it end, and return what it said last; it must not have complained."""
    rest, complaints = process.communicate(timeout=DEADLINE)
    assert complaints == ""
    assert process.returncode == 5
    return rest


def test_signals_are_passed_on_and_the_sandbox_waits_for_the_command(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        expect(process, "ready")
        process.send_signal(signal.SIGINT)
        expect(process, "heard 2")
        process.send_signal(signal.SIGTERM)
        assert finish(process) == "heard 15\nints 1\n"


def test_ctrl_c_on_a_terminal_reaches_the_command_once(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        with start(tmp_path, stdin=slave) as process:
            expect(process, "ready")
            os.write(master, b"\x03")
            expect(process, "heard 2")
            # To the sandbox alone: a second SIGINT, had it sent one, would be there before.
            os.kill(process.pid, signal.SIGTERM)
            assert finish(process) == "heard 15\nints 1\n"
    finally:
        os.close(master)
        os.close(slave)


def test_the_end_of_the_command_is_noticed_with_sigchld_blocked(tmp_path: Path) -> None:
    code = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])\n" + SANDBOX
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path), "/bin/true"]
    assert subprocess.run(command, check=False, timeout=DEADLINE).returncode == 0


def test_a_sandbox_without_a_command_waits_for_a_signal(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from reconciler.sandbox.command import signals_awaited
from reconciler.sandbox.session import Sandbox
with Sandbox((), Path(sys.argv[1])), signals_awaited() as wait:
    print("up", flush=True)
    number = wait()
print("heard", int(number))
"""
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            expect(process, "up")
            process.send_signal(number)
            rest, complaints = process.communicate(timeout=DEADLINE)
            assert (rest, complaints) == (f"heard {int(number)}\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["seed"]


def test_each_earlier_signal_is_returned_and_the_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals_awaited(signal.SIGUSR1) as wait:
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGTERM):
            signal.raise_signal(number)
        assert [wait() for _ in range(3)] == [signal.SIGTERM, signal.SIGUSR1, signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before
