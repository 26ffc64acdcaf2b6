"""The changes that formatting makes in a file, as a unified diff."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.render.terminal import Style


def layout_diff(path: Path, before: str, after: str, style: Style) -> str:
    """The changed lines with three around them."""
    name = path.as_posix()
    lines = unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
    return "\n".join(_coloured(visible(line), style) for line in lines)


def _coloured(line: str, style: Style) -> str:
    match line[:1]:
        case "+":
            return style.added(line)
        case "-":
            return style.removed(line)
        case _:
            return line
