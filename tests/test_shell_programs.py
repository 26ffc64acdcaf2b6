"""What a shell calls does what an interpreter does that it starts."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.interpreter import LOCALE
from tests.shell_programs import folder_of_programs, write_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are forked on Linux alone"
)

SEE = """
import json, os, sys
del os.environ["PYTHON"]
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "name": __name__, "environ": dict(os.environ),
    "folder": os.getcwd(), "text": sys.stdin.read(), "group": os.getpgrp() == os.getpid(),
}))
"""
SCRIPT = """
echo "one two" | $PYTHON {option} see.py a "b c" '' ä
printf 'x' | $PYTHON {option} -c "$CODE" d >kept; cat kept
$PYTHON {option} -c 'import sys; sys.exit(7)'; echo $?
$PYTHON {option} -c 'import sys; sys.exit("a sentence")' 2>&1; echo $?
$PYTHON {option} -c 'import os; os.kill(os.getpid(), 9)'; echo $?
$PYTHON {option} -c 'print("y" * 100000)' | head -c 10
$PYTHON {option} -c 'print("closed")' >&-; echo $?
PYTHONIOENCODING=latin-1 $PYTHON {option} -c 'print("ä")' | od -c
nothing=$($PYTHON {option} -c ''); echo "[$nothing]"
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "see.py").write_text(SEE)
    return {"PATH": os.environ["PATH"], "LANG": LOCALE, "CODE": SEE}


@pytest.mark.parametrize("option", ["", "-I"])
def test_a_shell_sees_no_difference(option: str, environ: dict[str, str], tmp_path: Path) -> None:
    said: list[tuple[int, list[str], list[str]]] = []
    write_program(tmp_path / "forked")
    for program in (tmp_path / "forked", sys.executable):
        environ["PYTHON"] = str(program)
        done = subprocess.run(
            ["sh", "-c", SCRIPT.format(option=option)], cwd=tmp_path, env=environ,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said.append((done.returncode, done.stdout.splitlines(), done.stderr.splitlines()[-1:]))
    assert said[0] == said[1]
    assert json.loads(said[0][1][0])["argv"] == ["see.py", "a", "b c", "", "ä"]


def test_a_program_may_stand_for_more_words(environ: dict[str, str], tmp_path: Path) -> None:
    command = ["reconciler", "--version"]
    environ["PATH"] = f"{folder_of_programs()}:{environ['PATH']}"
    done = subprocess.run(["sh", "-c", " ".join(command)], env=environ, capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.startswith("reconciler ")
    environ["CODE"] = "import sys; print(sys.executable)"
    done = subprocess.run(["sh", "-c", 'python -c "$CODE"'], env=environ, capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == f"{folder_of_programs()}/python\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_reaches_it_and_comes_back(
    number: signal.Signals, environ: dict[str, str], tmp_path: Path
) -> None:
    code = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    write_program(tmp_path / "python")
    command = [str(tmp_path / "python"), "-c", code]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # fmt: skip
        assert process.stdout is not None
        forked = int(process.stdout.readline())
        assert forked != process.pid
        watched = os.pidfd_open(forked)
        try:
            process.send_signal(number)
            assert process.wait(timeout=30) == -number
            assert select.select([watched], [], [], 30)[0]
        finally:
            os.close(watched)
