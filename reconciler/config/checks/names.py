"""Names: declared exactly once if something refers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from reconciler.config.catalogue import name_of
from reconciler.config.checks.finding import Finding
from reconciler.config.suggest import Hints
from reconciler.model.address import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.raw import RawDocument
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.diagnostics import Route
    from reconciler.model.permissions import Principals


def duplicates(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Two documents of a kind have the same name, or a kind that allows only one document has two."""
    for entry, first in subject.catalogue.repeated:
        kind = Kind(entry.value.kind)
        name = name_of(entry.value)
        match kind:
            case Kind.ROLES | Kind.GLOBAL_SMTP_POLICY:
                place = first.raw.location(())
                message = f"There can be only one {kind}; another is declared at {place}."
                hint = "Merge the two documents."
                yield Finding("name/second-singleton", entry.raw, (), message, hint)
            case Kind.PERMISSIONS:
                place = first.raw.location(("connector",))
                message = f"The permissions of `{name}` are declared twice; first at {place}."
                hint = "Merge the two documents."
                yield Finding("name/duplicate", entry.raw, ("connector",), message, hint)
            case Kind.PROVIDER | Kind.GROUP | Kind.EMAIL_CONNECTOR | Kind.APPLICATION:
                place = first.raw.location(("name",))
                message = f"{kind} `{name}` is declared twice; first at {place}."
                hint = "Rename or delete one."
                yield Finding("name/duplicate", entry.raw, ("name",), message, hint)
            case _:
                assert_never(kind)


def connectors(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """The policy and permissions refer to connectors."""
    catalogue = subject.catalogue
    known = catalogue.names[Kind.EMAIL_CONNECTOR]
    renamed: dict[str | None, str] = {}
    for entry in catalogue.connectors.values():
        renamed.setdefault(entry.value.renamed_from, entry.value.name)
    hints = Hints(known)
    for raw, route, name in _connectors_named(subject):
        if name in known or not catalogue.complete:
            continue
        hint = f"It was renamed to `{renamed[name]}`." if name in renamed else ""
        hint = hint or hints.did_you_mean(name)
        yield Finding(
            "name/unknown-connector", raw, route, f"There is no connector `{name}`.", hint
        )


def _connectors_named(subject: ResolvedConfiguration) -> Iterator[tuple[RawDocument, Route, str]]:
    if policy := subject.catalogue.policy:
        for field in ("connector", "fallback_connector"):
            name: str | None = getattr(policy.value, field)
            if name is not None:
                yield policy.raw, (field,), name
    for permissions in subject.catalogue.permissions.values():
        yield permissions.raw, ("connector",), permissions.value.connector


def groups(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Roles, groups and permissions refer to groups."""
    known = subject.catalogue.names[Kind.GROUP]
    hints = Hints(known)
    for raw, field, principals in _principals(subject):
        for index, name in enumerate(principals.groups):
            if name in known or not subject.catalogue.complete:
                continue
            message = f"There is no group `{name}`."
            hint = hints.did_you_mean(name)
            yield Finding("name/unknown-group", raw, (field, "groups", index), message, hint)


def _principals(subject: ResolvedConfiguration) -> Iterator[tuple[RawDocument, str, Principals]]:
    catalogue = subject.catalogue
    if roles := catalogue.roles:
        for field in ("administrators", "manage_data_sources"):
            yield roles.raw, field, getattr(roles.value, field)
    for group in catalogue.groups.values():
        yield group.raw, "members", group.value.members
    for permissions in catalogue.permissions.values():
        for field in ("administrators", "users"):
            yield permissions.raw, field, getattr(permissions.value, field)


def providers(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Connectors refer to providers, the built-in ones or a user's own."""
    catalogue = subject.catalogue
    known = catalogue.names[Kind.PROVIDER] | set(catalogue.built_in)
    hints = Hints(known)
    for case in subject.cases:
        name = case.document.provider
        if name is not None and name not in known and catalogue.complete:
            message = f"There is no provider `{name}`."
            hint = hints.did_you_mean(name) or "Leave `provider` out and set the servers instead."
            yield Finding("name/unknown-provider", case.entry.raw, ("provider",), message, hint)


CHECKS: Final[tuple[Check, ...]] = (duplicates, connectors, groups, providers)
