"""Permissions: they have the effect that they declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.finding import Finding

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


CHECKS: Final[tuple[Check, ...]] = (partners,)
