"""Hosts: only those that the settings allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reconciler.config.checks.finding import Finding
from reconciler.model.domain import with_a_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration, ResolvedConnector
    from reconciler.diagnostics import Route


def allowed(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Every server and token endpoint is in ``allowed_hosts``."""
    if not subject.settings.allowed_hosts:
        return
    for case in subject.cases:
        for route, host in dict.fromkeys(_hosts(case)):
            if not subject.settings.allows_host(host):
                message = f"The host {with_a_label(host)} is not in `allowed_hosts`."
                hint = "Correct the host, or add it to `allowed_hosts` in reconciler.yaml."
                yield Finding("connector/host-not-allowed", case.entry.raw, route, message, hint)


def _hosts(case: ResolvedConnector) -> Iterator[tuple[Route, str]]:
    for side in case.sides:
        if side.server.server is not None:
            yield _route(side.protocol, "server", side.written.server), side.server.server
        oauth2 = side.server.oauth2
        if oauth2 is not None and oauth2.token_endpoint is not None:
            written = side.written.oauth2.token_endpoint if side.written.oauth2 else None
            host = _host_of(oauth2.token_endpoint)
            yield _route(side.protocol, "oauth2", "token_endpoint", written), host


def _route(*steps: str | None) -> Route:
    """The route to the written value, or to the provider if that has filled it in."""
    *route, written = steps
    return tuple(step for step in route if step) if written is not None else ("provider",)


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that hold no IPv6 address
        return ""


CHECKS: Final[tuple[Check, ...]] = (allowed,)
