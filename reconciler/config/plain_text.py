"""Writes the common form of YAML exactly as ruamel.yaml does, at a twentieth of its cost.

It supports mappings, lists of scalars, and scalars without escapes, which make up nearly every
document. :mod:`reconciler.config.yaml_text` uses ruamel for everything else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.config.scalars import is_special

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.resource import JSON

# Text that is plain in every version of YAML: words that begin with a letter, with no blank
# after a colon. YAML 1.1 also knows yes, no, on and off.
_PLAIN: Final = re.compile(r"[^\W\d_](?:[\w./@+=~{}-]|:(?=[\w./])|(?<=\w) (?=\w))*")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
# Characters that need no escape in double quotes.
_UNESCAPED: Final = re.compile(
    r'[^"\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]*'
)
_LINE: Final = 88
"""A list longer than this is written with an item on each line."""
_LONGEST: Final = 10_000
"""The longest text to write here, far below the width at which ruamel would fold it."""


class _LeftToRuamel(Exception):
    """A value cannot be written in this form."""


def is_plain(text: str) -> bool:
    """Whether every version of YAML reads a text unchanged without quotes."""
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS


def fits_on_a_line(items: list[JSON]) -> bool:
    """Whether a list is written in brackets."""
    return sum(len(str(item)) + 2 for item in items) <= _LINE


def plain_text(documents: Iterable[Mapping[str, JSON]]) -> str | None:
    """The text of documents; None if a value cannot be written in this form."""
    try:
        return "---\n".join([_document(document) for document in documents])
    except _LeftToRuamel:
        return None


def plain_entry(name: str, value: JSON, indent: str) -> str | None:
    """The lines of one field of a mapping; None if its value cannot be written in this form."""
    lines: list[str] = []
    try:
        _add_entry(lines, name, value, indent)
    except _LeftToRuamel:
        return None
    return "".join(lines)


def _document(document: Mapping[str, JSON]) -> str:
    if not document:
        raise _LeftToRuamel
    lines: list[str] = []
    for name, value in document.items():
        _add_entry(lines, name, value, "")
    return "".join(lines)


def _add_entry(lines: list[str], name: str, value: JSON, indent: str) -> None:
    if not _KEY.fullmatch(name) or is_special(name):
        raise _LeftToRuamel
    if isinstance(value, dict) and value:
        lines.append(f"{indent}{name}:\n")
        for key, item in value.items():
            _add_entry(lines, key, item, f"{indent}  ")
    elif isinstance(value, list) and not fits_on_a_line(value):
        lines.append(f"{indent}{name}:\n")
        lines += [f"{indent}  - {_scalar(item)}\n" for item in value]
    elif isinstance(value, list):
        lines.append(f"{indent}{name}: [{', '.join(map(_scalar_in_brackets, value))}]\n")
    else:
        lines.append(f"{indent}{name}: {_scalar(value) if value != {} else '{}'}\n")


def _scalar_in_brackets(value: JSON) -> str:
    text = _scalar(value)
    # In brackets a brace would begin a mapping.
    return f"'{text}'" if text[0] != '"' and ("{" in text or "}" in text) else text


def _scalar(value: JSON) -> str:
    if isinstance(value, str):
        if len(value) > _LONGEST:
            raise _LeftToRuamel
        if is_plain(value):
            return value
        if _UNESCAPED.fullmatch(value):
            return f'"{value}"'
    elif isinstance(value, bool):
        return "true" if value else "false"
    elif isinstance(value, int):
        return str(value)
    raise _LeftToRuamel
