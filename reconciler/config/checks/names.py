"""Names: declared once, and declared at all where something refers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.catalogue import name_of
from reconciler.config.checks.finding import Finding, location
from reconciler.config.suggest import did_you_mean
from reconciler.model.address import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.raw import RawDocument
    from reconciler.config.subject import Subject
    from reconciler.diagnostics import Route
    from reconciler.model.permissions import Principals


def duplicates(subject: Subject) -> Iterator[Finding]:
    """Two documents of one kind have one name, or of a kind that there is one of there are two."""
    for entry, first in subject.catalogue.repeated:
        kind = Kind(entry.value.kind)
        if kind in {Kind.ROLES, Kind.GLOBAL_SMTP_POLICY}:
            message = (
                f"There can be only one {kind}, and one is declared at {location(first.raw, ())}."
            )
            hint = "Merge the two documents."
            yield Finding("name/second-singleton", entry.raw, (), message, hint)
            continue
        if kind is Kind.PERMISSIONS:
            field, what = "connector", "The permissions of"
            told, hint = "stand a second time here; the first are", "Merge the two documents."
        else:
            field, what = "name", str(kind)
            told, hint = "is declared a second time here; the first is", "Rename or delete one."
        message = f"{what} `{name_of(entry.value)}` {told} at {location(first.raw, (field,))}."
        yield Finding("name/duplicate", entry.raw, (field,), message, hint)


def connectors(subject: Subject) -> Iterator[Finding]:
    """Permissions and the policy refer to connectors."""
    for permissions in subject.catalogue.permissions.values():
        yield from _connector(subject, permissions.raw, ("connector",), permissions.value.connector)
    if policy := subject.catalogue.policy:
        for field in ("connector", "fallback_connector"):
            yield from _connector(subject, policy.raw, (field,), getattr(policy.value, field))


def _connector(
    subject: Subject, raw: RawDocument, route: Route, name: str | None
) -> Iterator[Finding]:
    catalogue = subject.catalogue
    known = catalogue.names[Kind.EMAIL_CONNECTOR]
    if name is None or name in known or not catalogue.complete:
        return
    renamed = next(
        (
            entry.value.name
            for entry in catalogue.connectors.values()
            if entry.value.renamed_from == name
        ),
        None,
    )
    hint = f"It was renamed to `{renamed}`." if renamed else did_you_mean(name, known)
    yield Finding("name/unknown-connector", raw, route, f"There is no connector `{name}`.", hint)


def groups(subject: Subject) -> Iterator[Finding]:
    """Permissions, roles and groups refer to groups."""
    catalogue = subject.catalogue
    for permissions in catalogue.permissions.values():
        for field in ("administrators", "users"):
            principals = getattr(permissions.value, field)
            yield from _groups(subject, permissions.raw, (field,), principals)
    for group in catalogue.groups.values():
        yield from _groups(subject, group.raw, ("members",), group.value.members)
    if roles := catalogue.roles:
        for field in ("administrators", "manage_data_sources"):
            yield from _groups(subject, roles.raw, (field,), getattr(roles.value, field))


def _groups(
    subject: Subject, raw: RawDocument, route: Route, principals: Principals
) -> Iterator[Finding]:
    known = subject.catalogue.names[Kind.GROUP]
    for index, name in enumerate(principals.groups):
        if name not in known and subject.catalogue.complete:
            message = f"There is no group `{name}`."
            hint = did_you_mean(name, known)
            yield Finding("name/unknown-group", raw, (*route, "groups", index), message, hint)


def providers(subject: Subject) -> Iterator[Finding]:
    """Connectors refer to providers, the built-in ones or a user's own."""
    catalogue = subject.catalogue
    known = catalogue.names[Kind.PROVIDER] | set(catalogue.built_in)
    for case in subject.cases:
        name = case.document.provider
        if name is not None and name not in known and catalogue.complete:
            message = f"There is no provider `{name}`."
            hint = did_you_mean(name, known) or "Leave it out and give the servers instead."
            yield Finding("name/unknown-provider", case.entry.raw, ("provider",), message, hint)


CHECKS: Final[tuple[Check, ...]] = (duplicates, connectors, groups, providers)
