"""The reference, made from the commands and the schemas: pages of the site, and man pages.

    python packaging/site/reference.py man FOLDER

writes a man page for every command.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.command import CommandWithSubcommands
from reconciler.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PROGRAM = "reconciler"


@dataclass(frozen=True)
class Entry:
    """One command: what it is called with, what it does, its arguments and options, and examples."""

    name: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    subcommands: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return self.paragraphs[0].split(". ")[0].rstrip(".")


def entries() -> list[Entry]:
    """Every command, in the order of its name, the program itself first."""
    return list(_entries(cli, PROGRAM))


def _entries(command: click.Command, name: str) -> Iterator[Entry]:
    context = click.Context(command, info_name=name, **command.context_settings)
    below = _below(command, context)
    yield Entry(
        name=name,
        usage=" ".join((name, *command.collect_usage_pieces(context))),
        paragraphs=tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n")),
        options=tuple(
            record
            for item in command.get_params(context)
            if (record := item.get_help_record(context)) is not None
        ),
        subcommands=tuple((word, item.get_short_help_str(120)) for word, item in below),
        examples=tuple(getattr(command, "examples", ())),
    )
    for word, item in below:
        yield from _entries(item, f"{name} {word}")


def _below(command: click.Command, context: click.Context) -> list[tuple[str, click.Command]]:
    if isinstance(command, CommandWithSubcommands):
        return sorted(command.commands.items())
    if not isinstance(command, click.Group):
        return []
    found = ((name, command.get_command(context, name)) for name in command.list_commands(context))
    return [(name, item) for name, item in found if item is not None and not item.hidden]


def commands_page() -> str:
    """Every command with its options, as one Markdown page."""
    parts = [
        "# Commands\n",
        "What `--help` says, for every command. The [exit codes](../apply.md#exit-codes) are the same for all.\n",
    ]
    for entry in entries():
        level = "#" * max(2, len(entry.name.split()))
        parts += [f"{level} {entry.name}\n", f"```text\n{entry.usage}\n```\n"]
        parts += [f"{_cell(paragraph)}\n" for paragraph in entry.paragraphs]
        if entry.subcommands:
            parts += ["| command | |", "| --- | --- |"]
            parts += [f"| `{name}` | {_cell(text)} |" for name, text in entry.subcommands]
            parts.append("")
        if entry.options:
            parts += ["| option | |", "| --- | --- |"]
            parts += [f"| {_code(name)} | {_cell(text)} |" for name, text in entry.options]
            parts.append("")
        if entry.examples:
            parts += ["```sh", *entry.examples, "```", ""]
    return "\n".join(parts)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str) -> str:
    """A text as one line of Markdown, in which nothing is markup but what is between backticks."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    plain = [
        part if index % 2 else re.sub(r"([\\*_\[\]<>#])", r"\\\1", part)
        for index, part in enumerate(parts)
    ]
    return "".join(plain).replace("|", "\\|")


def fields_page(name: str, title: str, intro: str) -> str:
    """Every field of a schema for editors, as one Markdown page."""
    schema = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    definitions = schema.get("$defs", {})
    parts = [f"# {title}\n", f"{intro}\n"]
    first = [item["then"]["$ref"].rpartition("/")[2] for item in schema.get("allOf", ())]
    if not first:
        parts += _fields(schema)
    for key in (*first, *sorted(set(definitions) - set(first))):
        parts += [f"## {key}\n", f"{_cell(definitions[key].get('description', ''))}\n"]
        parts += _values(definitions[key]) or _fields(definitions[key])
    return "\n".join(parts)


def _values(schema: dict[str, Any]) -> list[str]:
    if "enum" not in schema:
        return []
    texts = schema.get("enumDescriptions") or [""] * len(schema["enum"])
    rows = [
        f"| `{value}` | {_cell(text)} |" for value, text in zip(schema["enum"], texts, strict=True)
    ]
    return ["| value | |", "| --- | --- |", *rows, ""]


def _fields(schema: dict[str, Any]) -> list[str]:
    properties: dict[str, Any] = schema.get("properties", {})
    if not properties:
        return []
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(item)}{', required' if name in required else ''} | {_cell(_meaning(item))} |"
        for name, item in properties.items()
    ]
    return ["| field | type | |", "| --- | --- | --- |", *rows, ""]


def _meaning(item: dict[str, Any]) -> str:
    text = str(item.get("description", item.get("title", "")))
    if item.get("default") not in (None, [], {}, ""):
        text += f" Default: `{json.dumps(item['default'])}`."
    if examples := item.get("examples"):
        text += f" Example: `{json.dumps(examples[0], ensure_ascii=False)}`."
    return text


def _type(item: dict[str, Any]) -> str:
    if "$ref" in item:
        name = item["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in item:
        return f"`{item['const']}`"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in item:
            kinds = [_type(part) for part in item[key] if part.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    kind = item.get("type", "any")
    if kind == "array":
        return f"list of {_type(item.get('items', {}))}"
    if "enum" in item:
        return " or ".join(f"`{value}`" for value in item["enum"])
    kinds = [kind] if isinstance(kind, str) else [part for part in kind if part != "null"]
    return ", or ".join(_WORDS.get(part, part) for part in kinds)


_WORDS = {
    "object": "mapping", "string": "text", "integer": "whole number", "number": "number",
    "boolean": "true or false",
}  # fmt: skip


def man_page(entry: Entry) -> str:
    """A command as a man page: man(7)."""
    name = entry.name.replace(" ", "-")
    lines = [
        f'.TH "{name.upper()}" "1" "" "{PROGRAM} {version("mail-reconciler")}" "{PROGRAM}"',
        ".SH NAME",
        f"{_roff(name)} \\- {_roff(entry.summary)}",
        ".SH SYNOPSIS",
        f".B {_roff(entry.usage)}",
        ".SH DESCRIPTION",
    ]
    for paragraph in entry.paragraphs:
        lines += [".PP", _roff(paragraph)]
    for heading, rows in (("COMMANDS", entry.subcommands), ("OPTIONS", entry.options)):
        if rows:
            lines.append(f".SH {heading}")
        for term, text in rows:
            lines += [".TP", f"\\fB{_roff(term)}\\fR", _roff(text) or "\\&"]
    if entry.examples:
        lines += [".SH EXAMPLES", ".nf", *map(_roff, entry.examples), ".fi"]
    parents = entry.name.split(" ")[:-1]
    if parents:
        lines += [".SH SEE ALSO", f"\\fB{_roff('-'.join(parents))}\\fR(1)"]
    return "\n".join(lines) + "\n"


def _roff(text: str) -> str:
    """A text as roff shows it: no line is a request, and backslashes and hyphens are themselves."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def write_man_pages(folder: Path) -> list[Path]:
    """Write the man page of every command into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for entry in entries():
        path = folder / f"{entry.name.replace(' ', '-')}.1"
        path.write_text(man_page(entry), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["man", folder]:
            print(f"{len(write_man_pages(Path(folder)))} man pages")
        case _:
            sys.exit("usage: python packaging/site/reference.py man FOLDER")
