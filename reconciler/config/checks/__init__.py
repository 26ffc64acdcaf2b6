"""The checks across documents, a module for each family of rules.

A check is a small function that looks at the whole configuration and yields findings with routes;
this module alone looks up where those are in the files. No check reads anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks import (
    applications,
    connectors,
    credentials,
    directory,
    domains,
    hosts,
    names,
    oauth2,
    permissions,
    policy,
    providers,
    references,
    senders,
    texts,
    tls,
)

if TYPE_CHECKING:
    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.diagnostics import Diagnostic

ALL: Final[tuple[Check, ...]] = (
    *names.CHECKS,
    *references.CHECKS,
    *connectors.CHECKS,
    *senders.CHECKS,
    *credentials.CHECKS,
    *tls.CHECKS,
    *oauth2.CHECKS,
    *hosts.CHECKS,
    *domains.CHECKS,
    *providers.CHECKS,
    *policy.CHECKS,
    *permissions.CHECKS,
    *directory.CHECKS,
    *applications.CHECKS,
    *texts.CHECKS,
)


def run(subject: ResolvedConfiguration) -> tuple[Diagnostic, ...]:
    """Run every check; none of them stops another."""
    return tuple(finding.placed() for check in ALL for finding in check(subject))
