"""The tutorial, line by line, as a reader runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.interpreter import LOCALE
from tests.shell_programs import folder_of_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = Path(__file__).parents[2] / "docs" / "tutorial.md"
BEGIN: Final = "\x02"
SANDBOX: Final = "reconciler sandbox -- bash"


def steps() -> Iterator[tuple[str, str]]:
    """Each command with the output that is shown, and each file with its content."""
    text = PAGE.read_text(encoding="utf-8")
    for match in re.finditer(
        r"Write `(?P<file>\S+)`:\n\n```yaml\n(?P<content>.*?)^```$|^```console\n(?P<console>.*?)^```$",
        text, re.MULTILINE | re.DOTALL,
    ):  # fmt: skip
        if match["file"]:
            yield f"cat > {match['file']} <<'END'\n{match['content']}END", ""
        else:
            for part in re.split(r"^\$ ", match["console"], flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                yield command, output


def expected(output: str) -> str:
    """A pattern for an output in which ``…`` stands for anything."""
    lines = []
    for line in output.splitlines():
        if line == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(re.escape(line).replace("…", ".*") + r" *\n")
    return "".join(lines)


def script() -> str:
    """The commands as one program: what follows the start of a sandbox runs in it."""
    lines: list[str] = ["set -u"]
    depth = 0
    for number, (command, _) in enumerate(steps()):
        mark = f"printf '\\n{BEGIN}{number}\\n'"
        if command == SANDBOX:
            lines += [mark, f"{SANDBOX} <<'SHELL' 2>&1"]
            depth += 1
        elif command == "exit":
            lines += [mark, "SHELL"]
            depth -= 1
        else:
            lines += [mark, f"{{ {command}\n}} 2>&1"]
    return "\n".join([*lines, *["SHELL"] * depth, ""])


@pytest.mark.timeout(300)
def test_every_line_of_the_tutorial_does_what_the_page_shows(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    environ = {
        "PATH": f"{folder_of_programs()}:/usr/bin:/bin",
        "LANG": LOCALE,
        "HOME": str(tmp_path),
        "USER": "ada",
        "LOGNAME": "ada",
        "TERM": "dumb",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["bash"], input=script(), cwd=tmp_path, env=environ, capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    shown = dict(
        part.split("\n", 1) for part in f"\n{done.stdout}".split(f"\n{BEGIN}")[1:] if "\n" in part
    )
    every = list(steps())
    assert len(every) > 20
    for number, (command, output) in enumerate(every):
        said = shown.get(str(number), "").removesuffix("\n") + "\n"
        assert re.fullmatch(f"\n*{expected(output)}\n*", said) or not output, (
            f"$ {command}\n{said}\n--- expected:\n{output}\n{done.stderr}"
        )
