"""Domains: those beyond ASCII have a form that the network knows (IDNA 2008)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reconciler.config.checks.finding import Finding
from reconciler.model.domain import is_valid
from reconciler.model.provider import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON

_ADDRESSES: Final = frozenset(
    {"email_address", "also_sends_as", "reply_to", "test_recipient", "senders"}
)
_HOSTS: Final = frozenset({"server", "internal_domains"})
_URLS: Final = frozenset({"token_endpoint"})


def valid(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Every host and every domain of an address means one thing to everybody."""
    known = subject.catalogue
    raws = [entry.raw for entry in known.connectors.values()]
    raws += [entry.raw for entry in known.providers.values()]
    raws += [entry.raw for entry in known.applications.values()]
    if known.roles is not None:
        raws.append(known.roles.raw)
    for raw in raws:
        for route, domain in _domains(raw.value):
            if not is_valid(domain):
                message = f"`{domain}` is not a domain name under IDNA 2008."
                hint = "Check its spelling; emoji and invisible characters are not allowed."
                yield Finding("name/invalid-domain", raw, route, message, hint)


def _domains(value: JSON, route: Route = (), field: str = "") -> Iterator[tuple[Route, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _domains(item, (*route, key), key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _domains(item, (*route, index), field)
    elif isinstance(value, str):
        if field in _ADDRESSES:
            yield route, value.rpartition("@")[2]
        elif field in _HOSTS:
            # As the provider of a connector whose domain is valid: `{domain}` alone has no form.
            yield route, value.replace(DOMAIN, "domain.example")
        elif field in _URLS:
            yield route, _host(value)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets without an IPv6 address
        return ""


CHECKS: Final[tuple[Check, ...]] = (valid,)
