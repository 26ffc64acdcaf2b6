"""Addresses to send as: no duplicates, and whole domains only where lists are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.finding import Finding
from reconciler.model.connector import ANY_LOCAL_PART
from reconciler.model.domain import address_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration, ResolvedConnector
    from reconciler.diagnostics import Route

_WHOLE: Final = f"{ANY_LOCAL_PART}@"
_LISTED: Final = "also_sends_as"


def patterns(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """``email_address`` is one address; an asterisk elsewhere stands for a whole local part."""
    rule = "connector/address-pattern"
    for case in subject.cases:
        smtp = case.document.smtp
        own = smtp.email_address if smtp is not None else None
        if own is not None and "*" in own:
            message = "`email_address` is a pattern, but mail goes out as a single address."
            hint = f"Write one address, and the pattern in `{_LISTED}`."
            yield Finding(rule, case.entry.raw, ("smtp", "email_address"), message, hint)
        for index, item in enumerate(case.document.also_sends_as):
            if "*" in item.removeprefix(_WHOLE):
                message = "An asterisk stands for all addresses of a domain, not for a part of one."
                hint = "Write `*@` and the domain, or each address."
                yield Finding(rule, case.entry.raw, (_LISTED, index), message, hint)


def unused(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Settings about sending belong to a connector that sends."""
    for case in subject.cases:
        if case.document.enable_mail_send_from:
            continue
        for field in ("from_name", "reply_to", "test_recipient", _LISTED):
            if getattr(case.document, field):
                message = f"`{field}` is not used, because `enable_mail_send_from` is not true."
                hint = f"Set `enable_mail_send_from: true`, or delete `{field}`."
                yield Finding("connector/smtp-unused", case.entry.raw, (field,), message, hint)


def own_addresses(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """No two connectors send as the same address."""
    first: dict[str, ResolvedConnector] = {}
    for case in subject.cases:
        address = case.connector.email_address
        if address is None or not case.connector.can_send:
            continue
        other = first.setdefault(address_key(address), case)
        if other is not case:
            message = f"The connector sends as the same address as `{other.document.name}`."
            hint = f"Unless the sender names a connector, mail from that address goes through `{other.document.name}`, the first by name."
            route = ("smtp", "email_address")
            yield Finding("connector/same-address", case.entry.raw, route, message, hint)


def further_addresses(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """A listed address belongs to one connector, and is listed there once."""
    sending = [case for case in subject.cases if case.connector.can_send]
    if not any(case.document.also_sends_as for case in sending):
        return
    first: dict[str, tuple[ResolvedConnector, Route]] = {}
    for case in sending:
        own = case.connector.email_address
        if own is not None:
            first.setdefault(address_key(own), (case, ("smtp", "email_address")))
    for case in sending:
        for index, item in enumerate(case.document.also_sends_as):
            route = (_LISTED, index)
            other, place = first.setdefault(address_key(item), (case, route))
            if place == route and other is case:
                continue
            where = other.entry.raw.location(place)
            if other is case:
                message = f"`{item}` is already an address of this connector, at {where}."
                yield Finding(
                    "connector/repeated-sender", case.entry.raw, route, message, "Delete one."
                )
            else:
                name = other.document.name
                message = f"`{item}` is also an address of `{name}`, at {where}."
                hint = "Mail from one address goes through one connector: delete one of the two."
                yield Finding("connector/duplicate-sender", case.entry.raw, route, message, hint)


CHECKS: Final[tuple[Check, ...]] = (patterns, unused, own_addresses, further_addresses)
