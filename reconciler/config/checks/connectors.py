"""Connectors: complete, useful and distinct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.build import says_how_to_sign_in, smtp_of, uses_same_credentials
from reconciler.config.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import Endpoint, ResolvedConfiguration, ResolvedConnector
    from reconciler.diagnostics import Route


def purpose(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """A connector reads or sends, and settings for sending are used."""
    for case in subject.cases:
        document = case.document
        if document.smtp is not None and not document.enable_mail_send_from:
            message = "`smtp` is not used, because `enable_mail_send_from` is not true."
            hint = "Set `enable_mail_send_from: true`, or delete `smtp`."
            yield Finding("connector/smtp-unused", case.entry.raw, ("smtp",), message, hint)
        if document.draft:
            continue
        if document.imap is None and not document.enable_mail_send_from:
            message = "The connector neither reads nor sends mail."
            hint = "Add `imap`, or `enable_mail_send_from: true` and `smtp`."
            yield Finding("connector/does-nothing", case.entry.raw, ("name",), message, hint)


def completeness(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Everything that a connection needs is given, except in a draft."""
    for case in subject.cases:
        document = case.document
        if document.draft:
            continue
        for side in case.sides:
            if side.server.complete:
                continue
            for field, what in _missing(case, side):
                message = f"{side.label} has no {what}."
                hint = "Add it, or set `draft: true` until you know it."
                if field == "server" and side.defaults is not None:
                    hint = (
                        f"`{case.document.provider}` derives it from the domain: make the user name or "
                        "`email_address` an address, or add `server`."
                    )
                yield Finding(
                    "connector/incomplete", case.entry.raw, side.route(field), message, hint
                )
        if not document.enable_mail_send_from:
            continue
        if smtp_of(document, case.provider) is None and not case.provider_missing:
            message = "`enable_mail_send_from` is true, but `smtp` is missing."
            hint = "Add `smtp`, or name a `provider` that sets the server."
            route: Route = ("enable_mail_send_from",)
            yield Finding("connector/no-smtp", case.entry.raw, route, message, hint)
        elif case.connector.email_address is None:
            message = "The address to send as is unknown: no username is an address."
            hint = "Add `email_address` to `smtp`."
            route = ("smtp", "email_address")
            yield Finding("connector/no-address", case.entry.raw, route, message, hint)


def _missing(case: ResolvedConnector, side: Endpoint) -> Iterator[tuple[str, str]]:
    server, written = side.server, side.written
    if not case.provider_missing:
        if server.server is None:
            yield "server", "`server`"
        if server.port is None:
            yield "port", "`port`"
        elif server.security is None and written.use_ssl is None:
            yield "security", "`use_ssl` or `security`"
    if not server.signs_in or (side.protocol == "smtp" and _told_elsewhere(case)):
        return
    if server.username is None:
        yield "username", "`username`"
    if server.password is None and server.oauth2 is None:
        yield "password", "`password` or `oauth2`"


def _told_elsewhere(case: ResolvedConnector) -> bool:
    """Whether SMTP lacks credentials because it uses IMAP's, or due to a wrong switch."""
    if uses_same_credentials(case.document):
        return True
    smtp = case.document.smtp
    return smtp is not None and smtp.use_same_credentials is False and not says_how_to_sign_in(smtp)


def labels(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """No label is given twice."""
    for case in subject.cases:
        seen: set[str] = set()
        for index, label in enumerate(case.document.labels):
            if label in seen:
                message = f"The label `{label}` is given twice."
                route = ("labels", index)
                yield Finding(
                    "connector/duplicate-label", case.entry.raw, route, message, "Delete one."
                )
            seen.add(label)


def renames(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """A former name is no longer in use, and belonged to one connector only."""
    taken: dict[str, ResolvedConnector] = {}
    for case in subject.cases:
        old = case.document.renamed_from
        if old is None:
            continue
        message = hint = ""
        if old == case.document.name:
            message = "`renamed_from` is the connector's own name."
            hint = "Delete `renamed_from`, or change `name`."
        elif old in subject.catalogue.connectors:
            first = subject.catalogue.connectors[old].raw.location(("name",))
            message = f"`{old}` is still the name of a connector, at {first}."
            hint = "Delete that document, or delete `renamed_from`."
        elif old in taken:
            first = taken[old].entry.raw.location(("renamed_from",))
            message = f"Two connectors have `renamed_from: {old}`; the other is at {first}."
            hint = "Delete one of the two `renamed_from`."
        taken.setdefault(old, case)
        if message:
            route = ("renamed_from",)
            yield Finding("connector/renamed-from", case.entry.raw, route, message, hint)


CHECKS: Final[tuple[Check, ...]] = (purpose, completeness, labels, renames)
