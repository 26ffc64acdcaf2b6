"""Applications: their networks and senders are usable, and their passwords are not shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.finding import Finding
from reconciler.model.application import read_network
from reconciler.model.connector import ANY_LOCAL_PART

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.model.secret_ref import SecretRef

_WHOLE: Final = f"{ANY_LOCAL_PART}@"


def networks(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Every network can contain a client."""
    for entry in subject.catalogue.applications.values():
        for index, text in enumerate(entry.value.networks):
            try:
                read_network(text)
            except ValueError:
                message = f"`{text}` is not an IP address or a network."
                hint = "Write a network as its first address and its prefix, such as 10.1.0.0/16."
                route = ("networks", index)
                yield Finding("application/network", entry.raw, route, message, hint)


def senders(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """An asterisk stands for a whole local part."""
    for entry in subject.catalogue.applications.values():
        for index, item in enumerate(entry.value.senders):
            if "*" in item.removeprefix(_WHOLE):
                message = "An asterisk stands for all addresses of a domain, not for a part of one."
                hint = "Write `*@` and the domain, or each address."
                route = ("senders", index)
                yield Finding("application/sender", entry.raw, route, message, hint)


def own_passwords(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """No application shares its password with another one, or with a mail account."""
    if not subject.catalogue.applications:
        return
    of_accounts: dict[SecretRef, str] = {}
    for case in subject.cases:
        for reference in case.connector.references:
            of_accounts.setdefault(reference, case.document.name)
    first: dict[SecretRef, str] = {}
    for name, entry in sorted(subject.catalogue.applications.items()):
        reference = entry.value.password
        if reference in of_accounts:
            message = f"The password of the application is a secret of `{of_accounts[reference]}`."
            hint = (
                "Whoever knew it could sign in to the account itself: give the application its own."
            )
            yield Finding("application/account-password", entry.raw, ("password",), message, hint)
        other = first.setdefault(reference, name)
        if other != name:
            place = subject.catalogue.applications[other].raw.location(("password",))
            message = f"The application has the password of `{other}`, declared at {place}."
            hint = "Give each its own, so that one can be replaced without the other."
            yield Finding("application/shared-password", entry.raw, ("password",), message, hint)


CHECKS: Final[tuple[Check, ...]] = (networks, senders, own_passwords)
