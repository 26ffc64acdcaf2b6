"""Texts: what is written for people does not command the machines that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.ci_systems import is_command
from reconciler.config.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.raw import RawDocument
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON


def log_commands(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """No text, and no name of a file, is a command to a CI system that shows it in a log."""
    for raw in _documents(subject):
        if is_command(raw.file):
            message = "The name of the file holds a command to the log of a CI system."
            yield Finding("text/log-command", raw, (), message, "Rename the file.")
        for route, text in _texts(raw.value, ()):
            if is_command(text):
                message = "The text holds a command to the log of a CI system."
                hint = "Write it in another way. `reconciler` shows it with a blank in the command."
                yield Finding("text/log-command", raw, route, message, hint)


def _documents(subject: ResolvedConfiguration) -> Iterator[RawDocument]:
    known = subject.catalogue
    for entries in (known.connectors, known.permissions, known.groups, known.providers):
        for entry in entries.values():
            yield entry.raw
    for single in (known.policy, known.roles):
        if single is not None:
            yield single.raw


def _texts(value: JSON, route: Route) -> Iterator[tuple[Route, str]]:
    match value:
        case str():
            yield route, value
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*route, key))
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*route, index))


CHECKS: Final[tuple[Check, ...]] = (log_commands,)
