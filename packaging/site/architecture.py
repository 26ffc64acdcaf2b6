"""A picture of the packages, made from the code and from the layers that import-linter holds it to."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "reconciler"
_WIDTH, _HEIGHT, _GAP = 900, 64, 14


def layers() -> list[list[str]]:
    """The packages by layer, the uppermost first; those of one layer do not import each other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (found,) = (item["layers"] for item in contracts if item["type"] == "layers")
    rows = [[name.strip().partition(".")[2] for name in row.split("|")] for row in found]
    return [[name for name in row if (PACKAGE / name).is_dir()] for row in rows]


@cache
def purpose(package: str) -> str:
    """The first sentence of a package's docstring."""
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0].partition(". ")[0].rstrip(".")


@cache
def imports(package: str) -> tuple[str, ...]:
    """The other packages that a package imports."""
    found: set[str] = set()
    for path in (PACKAGE / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                names = [item.name for item in node.names]
            found |= {name.split(".")[1] for name in names if name.startswith("reconciler.")}
    return tuple(sorted(name for name in found - {package} if (PACKAGE / name).is_dir()))


def picture() -> str:
    """The layers as an SVG picture: each imports only what is below it."""
    rows = [row for row in layers() if row]
    height = len(rows) * (_HEIGHT + _GAP) + _GAP
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" font-family="sans-serif"',
        ' aria-label="The packages of reconciler, by layer" xmlns="http://www.w3.org/2000/svg">',
    ]
    for number, row in enumerate(rows):
        top = _GAP + number * (_HEIGHT + _GAP)
        width = (_WIDTH - _GAP * (len(row) + 1)) / len(row)
        for position, name in enumerate(row):
            parts += _box(name, _GAP + position * (width + _GAP), top, width)
    return "".join((*parts, "</svg>"))


def _box(name: str, left: float, top: int, width: float) -> list[str]:
    middle = left + width / 2
    count = len(list((PACKAGE / name).rglob("*.py")))
    text = f'x="{middle:.0f}" text-anchor="middle" fill="#102a27"'
    return [
        f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{_HEIGHT}" rx="8"',
        f' fill="#e0f2f1" stroke="#00796b"><title>{count} modules</title></rect>',
        f'<text y="{top + 26}" {text} font-size="16" font-weight="bold">{name}</text>',
        f'<text y="{top + 48}" {text} font-size="13">',
        f"{escape(_short(purpose(name), int(width / 6.8)))}</text>",
    ]


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rsplit(" ", 1)[0] + " …"


def page() -> str:
    """The picture, and who imports whom, as a page."""
    lines = [
        "# Architecture\n",
        "Each package imports only what is below it, and those side by side do not import each other.",
        "A test of every change holds it to that. The core (`plan`, `routing`, `model`) is pure: no clock, file, network, process or log.\n",
        picture() + "\n",
        "| package | what it is | imports |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| `{name}` | {purpose(name)} | {', '.join(f'`{item}`' for item in imports(name)) or 'nothing'} |"
        for row in layers()
        for name in row
    ]
    return "\n".join(lines) + "\n"
