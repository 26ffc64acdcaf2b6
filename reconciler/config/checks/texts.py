"""Texts: none is a command to the machine that shows it, and none is a leftover placeholder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.ci_systems import is_command
from reconciler.config.checks.finding import Finding
from reconciler.config.text_fields import OPENING_QUOTES, REFERENCE_FIELDS
from reconciler.secrets.schemes import BUILT_IN_SCHEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON


def log_commands(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """No text, and no name of a file, is a command to a CI system that shows it in a log."""
    for entry in subject.catalogue.entries:
        raw = entry.raw
        if is_command(raw.file):
            message = "The name of the file contains a log command of a CI system."
            yield Finding("text/log-command", raw, (), message, "Rename the file.")
        if id(raw) not in subject.conspicuous.commands:
            continue
        for route, _ in _texts(raw.value, is_command):
            message = "The text contains a log command of a CI system."
            hint = "Write it in another way. `reconciler` shows it with a blank in the command."
            yield Finding("text/log-command", raw, route, message, hint)


_PLACEHOLDER: Final = re.compile(
    r"\{\{|\{%|<%|%\([A-Za-z_]+\)s|(?<![A-Za-z0-9$])\$[A-Z_][A-Z0-9_]+\b"
    r"|\$\([A-Za-z_.]+\)|[%#]\{[A-Za-z_.]+\}|\$env:"
    r"|\A(?:%[A-Za-z_]+%|<[A-Z][A-Z_ -]+>|@[A-Z][A-Z0-9_]+@|__[A-Z][A-Z0-9_]*__"
    r"|\(\(.+\)\)|\[\[.+\]\]|\{(?!domain\})[A-Za-z_.]+\})\Z"
)
"""What shells, Make, Jinja, Go, Python, Ruby, Windows and templates replace: ``$HOST``, ``{{ host }}``.

`variables` reads ``${…}``. Only as the whole text: ``%HOST%``, ``<YOUR HOST>``, ``@HOST@``, ``__HOST__``, ``((host))``,
``[[host]]``, ``{host}``; ``{domain}`` means something in a provider.
"""

_WITHIN_REFERENCE: Final = re.compile(r"<[A-Za-z][A-Za-z0-9_ -]*>|%[A-Za-z_]+%")
"""Placeholders anywhere in a reference."""

_SUSPECT: Final = re.compile(rf"[$%{{<:{OPENING_QUOTES}]|\A[@_(\[]")
"""Every suspect text contains one of these; most texts contain none."""

_FOR_PEOPLE: Final = frozenset({"display_name", "from_name", "notes"})
"""Fields whose texts may contain quotes."""


def meanings(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Every text has its final value: nothing replaces placeholders or removes quotes."""
    for raw in subject.raws:
        if id(raw) not in subject.conspicuous.meanings:
            continue
        for route, rule, message, hint in text_problems(raw.value, REFERENCE_FIELDS):
            yield Finding(rule, raw, route, message, hint)


def text_problems(value: JSON, references: frozenset[str]) -> Iterator[tuple[Route, str, str, str]]:
    """The rule, message and hint for a text that is not final; ``references`` hold references."""
    for route, text in _texts(value, _SUSPECT.search):
        field = next((part for part in reversed(route) if isinstance(part, str)), "")
        if found := _meaning(field, text, references):
            yield (route, *found)


def _meaning(field: str, text: str, references: frozenset[str]) -> tuple[str, str, str] | None:
    # No message repeats the text: it may be a password in place of a reference.
    scheme, colon, target = text.partition(":")
    reference = bool(colon) and scheme.lower() in BUILT_IN_SCHEMES
    is_field = field in references and (reference or field != "username")
    if field not in _FOR_PEOPLE and (text[0] in OPENING_QUOTES or text[-1] in OPENING_QUOTES):
        hint = "Write straight quotes, or none; a word processor may have changed them."
        return "text/quotes", f"`{field}` has typographic quotes, which are part of the text.", hint
    # The program of a `command:` reference may take such text as an argument.
    if _has_placeholder(text, target if is_field else "") and not (
        is_field and scheme == "command"
    ):
        if is_field:
            hint = "Name one variable, as in env:SUPPORT_PASSWORD: a reference is taken literally."
        else:
            hint = "Write the value itself, or have the tool that knows it write the file."
        message = f"`{field}` contains a placeholder, but nothing replaces it."
        return "text/placeholder", message, hint
    if not reference or not target[:1].strip():
        return None
    capitals = scheme != scheme.lower()
    if field not in references and not (capitals and field in _FOR_PEOPLE):
        message = f"`{field}` takes no secret reference, so the text would be used as it is."
        hint = f"Write the value; references go into {', '.join(sorted(references))}."
        return "text/reference", message, hint
    if field == "username" and capitals:
        message = "`username` looks like a reference, but its scheme is in capitals, so the text would be used as it is."
        return "text/reference", message, f"Write `{scheme.lower()}:`."
    return None


def _has_placeholder(text: str, target: str) -> bool:
    found = _PLACEHOLDER.search(text) or (target and _WITHIN_REFERENCE.search(target))
    return bool(found)


def is_placeholder(text: str) -> bool:
    """Whether a text is, or contains, a placeholder that a tool should have replaced."""
    return "${" in text or _PLACEHOLDER.search(text) is not None


def _texts(value: JSON, suspect: Callable[[str], object]) -> Iterator[tuple[Route, str]]:
    """The suspect texts of a document, with their routes, which are built only where there are any."""
    texts: list[str] = []
    _collect(value, texts)
    if any(map(suspect, texts)):
        yield from ((route, text) for route, text in _routed(value, ()) if suspect(text))


def _collect(value: JSON, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, texts)
    elif isinstance(value, list):
        for item in value:
            _collect(item, texts)


def _routed(value: JSON, route: Route) -> Iterator[tuple[Route, str]]:
    match value:
        case str():
            yield route, value
        case dict():
            for key, item in value.items():
                yield from _routed(item, (*route, key))
        case list():
            for index, item in enumerate(value):
                yield from _routed(item, (*route, index))


CHECKS: Final[tuple[Check, ...]] = (log_commands, meanings)
