"""Where the output goes: pipes, full disks, missing streams, limited character sets, colour."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import interpreter
from tests.functional.conftest import PASSWORD_AT_MICROSOFT
from tests.shell_programs import folder_of_programs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Home


def shell(home: Home, script: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", script.replace("reconciler", f"{folder_of_programs()}/reconciler")],
        cwd=home.folder,
        env=home.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_the_reader_of_a_pipe_may_close_it(home: Home) -> None:
    done = shell(home, "reconciler schema connectors | exec sleep 0")
    assert done.stderr == b""


def test_nothing_is_applied_when_the_plan_could_not_be_shown(home: Home, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = interpreter.Popen(
        [sys.executable, "-m", "reconciler", "apply", "--auto-approve", "--skip-tests", "here"],
        cwd=home.folder,
        env=home.environ,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Traceback" not in err
    assert "Nothing was applied yet" in home("status").out
    assert "The state is not locked." in home("state", "lock").out


@pytest.mark.parametrize("command", ["validate", "plan", "--help", "schema connectors"])
def test_a_full_disk_is_reported_without_a_traceback(command: str, home: Home) -> None:
    done = shell(home, f"reconciler {command} >/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        b"Error: standard output cannot be written: the device is full",
        b"  Name a file instead.",
    ]
    assert b"Traceback" not in done.stderr


def test_streams_may_be_missing(home: Home) -> None:
    done = shell(home, "reconciler validate <&- >&- 2>&-")
    assert (done.returncode, done.stderr) == (0, b"")
    done = shell(home, "reconciler apply --skip-tests here <&- >&-")
    assert done.returncode == 5
    assert b"there is no terminal to ask for it" in done.stderr


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "Süppört 📬".encode()),
        ({"PYTHONIOENCODING": "latin-1"}, "Süppört \\U0001f4ec".encode("latin-1")),
        ({"PYTHONIOENCODING": "cp1252"}, "Süppört \\U0001f4ec".encode("cp1252")),
        ({"PYTHONIOENCODING": "utf-8"}, "Süppört 📬".encode()),
        ({"LC_ALL": "C", "PYTHONUTF8": "0"}, "Süppört 📬".encode()),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "Süppört 📬".encode()),
        ({"LC_ALL": "POSIX"}, "Süppört 📬".encode()),
    ],
)
def test_every_character_can_be_written_somehow(
    environ: dict[str, str], name: bytes, home: Home
) -> None:
    home.edit("support.yaml", "Support mailbox ", '"Süppört 📬" ')
    done = shell(home, "reconciler plan && reconciler state --help", **environ)
    assert (done.returncode, done.stdout.count(name)) == (0, 1), done.stderr


def test_a_file_name_that_is_not_text_can_be_shown(home: Home) -> None:
    (home.config / os.fsdecode(b"a\xff.yaml")).write_text("kind: Nonsense\n")
    done = home.run("validate")
    assert done.status == 3
    assert "connectors.d/a�.yaml:1:7: error:" in done.out
    assert "Traceback" not in done.err


def test_a_pipe_gets_no_colour_unless_asked(home: Home) -> None:
    assert "\033[" not in home.run("plan").said
    assert "\033[32m+\033[0m" in home.run("plan", "--color").out
    assert "\033[" not in home.run("plan", "--color", "--no-color").said


def test_results_go_to_stdout_and_the_rest_to_stderr(home: Home) -> None:
    import json

    home.write("archive.yaml", PASSWORD_AT_MICROSOFT)
    done = home("plan", "--format", "json", "--out", "plan.json")
    assert json.loads(done.out)["format_version"]
    assert "warning: `microsoft365` accepts no passwords" in done.err
    assert "Saved the plan. Apply it with: reconciler apply plan.json" in done.err
