"""``command:program argument``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import SecretError
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets import command
from reconciler.secrets.outcome import Flaw
from reconciler.secrets.registry import Resolver

Reveal = Callable[[str], str]
Refuse = Callable[[str], SecretError]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def test_its_output_is_the_secret(reveal: Reveal) -> None:
    assert reveal("command:echo 'correct horse'") == "correct horse"


def test_no_shell_sees_it(environ: dict[str, str], reveal: Reveal) -> None:
    environ["USER"] = "root"

    assert reveal("command:echo $USER; echo `id` > file") == "$USER; echo `id` > file"


def test_it_runs_at_the_base_with_the_environment_given(
    environ: dict[str, str], tmp_path: Path, reveal: Reveal, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ["VAULT"] = "mail"
    monkeypatch.setenv("ELSEWHERE", "of the process")

    assert reveal("command:pwd") == str(tmp_path)
    assert reveal('command:sh -c "echo $VAULT $ELSEWHERE."') == "mail ."


def test_it_gets_no_input_to_wait_for(reveal: Reveal) -> None:
    assert reveal("command:sh -c 'read line || echo no input'") == "no input"


def test_one_newline_at_the_end_is_dropped(reveal: Reveal) -> None:
    assert reveal(r"command:printf 'two lines\n\n'") == "two lines\n"


def test_it_is_run_only_where_the_settings_allow_it(tmp_path: Path) -> None:
    resolver = Resolver({"PATH": os.environ["PATH"]}, allow_command=False, base=tmp_path)

    with pytest.raises(SecretError) as caught:
        resolver.resolve(SecretRef.parse("command:touch ran"))

    assert "`command:` references are disabled" in caught.value.message
    assert "secrets.allow_command" in caught.value.hint
    assert not tmp_path.joinpath("ran").exists()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no-such-program-anywhere", "cannot be run: No such file or directory"),
        ("/dev/null", "cannot be run: Permission denied"),
        ("echo 'unfinished", "has quotes that do not match"),
        ("''", "cannot be run"),
        ("false", "failed: false exited with 1"),
        ("sh -c 'kill -9 $$'", "failed: sh was ended by signal 9"),
        ("true", "is empty"),
        ("echo", "is empty"),
        (r"printf '\377'", "is not UTF-8 text"),
        ("head -c 65537 /dev/zero", "prints more than 64 KiB"),
        ("cat /dev/zero", "prints more than 64 KiB"),
    ],
)
def test_a_program_that_does_not_print_a_secret_is_refused(
    refuse: Refuse, line: str, reason: str
) -> None:
    assert reason in refuse(f"command:{line}").message


def test_no_output_of_a_program_that_fails_is_shown(refuse: Refuse) -> None:
    error = refuse("command:sh -c 'h=ho; echo ${h}rse; echo bat${h} >&2; exit 3'")

    assert "exited with 3" in error.message
    assert "horse" not in error.message + error.hint
    assert "batho" not in error.message + error.hint


def test_nothing_reaches_the_standard_error_of_the_process(
    capfd: pytest.CaptureFixture[str], reveal: Reveal
) -> None:
    assert reveal("command:sh -c 'echo leak >&2; echo fine'") == "fine"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["sleep 60", "exec >&-; sleep 60", "sleep 60 & wait"])
def test_a_program_that_takes_too_long_is_killed_with_its_children(
    tmp_path: Path, ending: str
) -> None:
    outcome = command.fetch(
        f"sh -c 'echo $$ > pid; {ending}'",
        environ={"PATH": os.environ["PATH"]},
        base=tmp_path,
        deadline=0.5,
    )

    assert outcome == Flaw("took too long", "See what sh is waiting for.")
    wait_for_end(int(tmp_path.joinpath("pid").read_text()))


def test_an_interrupt_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "pid"

    def interrupted(*_: object) -> bytes:
        deadline = time.monotonic() + 10
        while not (started.exists() and started.read_text().endswith("\n")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_read", interrupted)

    with pytest.raises(KeyboardInterrupt):
        command.fetch(
            "sh -c 'echo $$ > pid; sleep 60'",
            environ={"PATH": os.environ["PATH"]},
            base=tmp_path,
        )

    wait_for_end(int(started.read_text()))


def test_a_large_secret_arrives_complete(reveal: Reveal) -> None:
    program = f"{sys.executable} -c 'import sys; sys.stdout.write(\"x\" * 65536)'"

    assert reveal(f"command:{program}") == "x" * 65536
