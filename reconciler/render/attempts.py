"""The audit of sign-ins, newest first: a table for people, all fields for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.model.sign_in_attempt import AttemptOutcome
from reconciler.render.formats import OutputFormat
from reconciler.render.json import json_lines, json_pieces
from reconciler.render.terminal import instant, minute, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.sign_in_attempt import SignInAttempt
    from reconciler.render.formats import EntryFormat
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEntry:
    """One secret on its way to one server or token endpoint; ``at`` is ISO 8601 in UTC.

    ``host`` is the URL of a token endpoint where ``security`` is ``https``. ``outcome`` is ``started`` if
    no end was recorded, ``not_sent`` if the attempt ended before the sign-in, else ``signed_in`` or
    ``failed``. ``error_class`` is that of the test, empty if it passed.
    """

    id: str
    at: str
    actor: str
    actor_source: str
    command: str
    connector: str
    protocol: str
    reference: str
    host: str
    port: int
    security: str
    username: str
    outcome: AttemptOutcome
    error_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsDocument:
    """Attempts to sign in, newest first."""

    format_version: Literal["1.0"] = "1.0"
    attempts: tuple[AttemptEntry, ...]


def attempts_text(attempts: tuple[SignInAttempt, ...], style: Style) -> str:
    """The attempts as a table."""
    return _table(attempts, style) if attempts else "No attempts to sign in are recorded."


def attempts_pieces(attempts: Iterable[SignInAttempt], output_format: EntryFormat) -> Iterator[str]:
    """Yield the text of attempts for machines, one after the other."""
    entries = map(_entry, attempts)
    match output_format:
        case OutputFormat.JSON:
            return json_pieces(AttemptsDocument(attempts=()), entries)
        case OutputFormat.JSON_LINES:
            return json_lines(entries)
        case _:
            assert_never(output_format)


def _entry(item: SignInAttempt) -> AttemptEntry:
    place = item.destination
    return AttemptEntry(
        id=item.id,
        at=instant(item.at),
        actor=item.actor,
        actor_source=item.actor_source,
        command=item.command,
        connector=item.connector,
        protocol=item.protocol,
        reference=str(item.reference),
        host=place.host,
        port=place.port,
        security=place.security,
        username=place.username,
        outcome=item.outcome,
        error_class=item.error_class,
    )


_WORDS = {
    AttemptOutcome.STARTED: "no end recorded",
    AttemptOutcome.SIGNED_IN: "signed in",
    AttemptOutcome.FAILED: "failed",
    AttemptOutcome.NOT_SENT: "not sent",
}


def _table(attempts: tuple[SignInAttempt, ...], style: Style) -> str:
    head = ("WHEN (UTC)", "WHO", "COMMAND", "CONNECTOR", "SECRET", "DESTINATION", "OUTCOME")
    rows = [
        (
            minute(item.at),
            item.actor,
            item.command,
            item.connector,
            str(item.reference),
            item.destination.place,
            _WORDS[item.outcome] + (f": {item.error_class}" if item.error_class else ""),
        )
        for item in attempts
    ]
    lines = table(head, rows, style.width, gives=(1, 4))
    dressed = [style.strong(lines[0])]
    for line, item in zip(lines[1:], attempts, strict=True):
        bad = item.outcome in (AttemptOutcome.FAILED, AttemptOutcome.STARTED)
        dressed.append(style.removed(line) if bad else line)
    return "\n".join(dressed)
