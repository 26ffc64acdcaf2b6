"""Permissions: they have the effect that they declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.finding import Finding
from reconciler.model.domain import domain_key
from reconciler.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration


def partners(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """``internal_domains`` are declared if partners are admitted."""
    roles = subject.catalogue.roles
    if (roles is not None and roles.value.internal_domains) or not subject.catalogue.complete:
        return
    for entry in subject.catalogue.permissions.values():
        if entry.value.enable_b2b:
            message = (
                "Without `internal_domains`, everybody with an address outside the domains of the "
                "connectors is a partner."
            )
            hint = "Declare the organisation's `internal_domains` in a document of kind `Roles`."
            rule = "permissions/b2b-without-domains"
            yield Finding(rule, entry.raw, ("enable_b2b",), message, hint)


def strangers(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """No public mail domain counts as the organisation's own."""
    catalogue = subject.catalogue
    roles = catalogue.roles
    if (roles is not None and roles.value.internal_domains) or not catalogue.permissions:
        return
    given = {domain_key(name) for known in catalogue.built_in.values() for name in known.domains}
    public = sorted(given & subject.directory.internal_domains)
    if not public:
        return
    for entry in catalogue.permissions.values():
        if entry.value.users or entry.value.enable_b2b:
            continue
        message = (
            f"Without `internal_domains`, everybody with an address at {listed(public)} is an internal "
            f"user, who may send through `{entry.value.connector}`."
        )
        hint = "Declare `internal_domains` in a document of kind `Roles`, or name the `users` here."
        yield Finding("permissions/public-domain", entry.raw, ("connector",), message, hint)


CHECKS: Final[tuple[Check, ...]] = (partners, strangers)
