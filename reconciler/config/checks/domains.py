"""Domains are valid names, and non-ASCII ones follow IDNA 2008."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reconciler.config.checks.finding import Finding
from reconciler.config.checks.texts import is_placeholder
from reconciler.config.text_fields import ADDRESS_FIELDS, HOST_FIELDS, URL_FIELDS
from reconciler.model.domain import is_valid
from reconciler.model.provider import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.raw import RawDocument
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON

_FILLED_IN: Final = {DOMAIN: "domain.example", "{tenant}": "tenant.example"}
"""Placeholders of a provider, each with an example value."""


def valid(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Every host, and every domain of an address, has a single meaning."""
    known, conspicuous = subject.catalogue, subject.conspicuous.domains
    raws = [entry.raw for entry in known.connectors.values()]
    raws += [entry.raw for entry in known.applications.values()]
    if known.roles is not None:
        raws.append(known.roles.raw)
    for raw in raws:
        if id(raw) in conspicuous:
            yield from _invalid(raw)
    for provider in known.providers.values():
        if id(provider.raw) in conspicuous:
            yield from _invalid(provider.raw, filled_in=True)


def _invalid(raw: RawDocument, *, filled_in: bool = False) -> Iterator[Finding]:
    """Every invalid domain of a document; ``filled_in`` if its placeholders are replaced."""
    for route, written in _domains(raw.value):
        domain = written
        for template, example in _FILLED_IN.items() if filled_in else ():
            domain = domain.replace(template, example)
        if is_valid(domain) or is_placeholder(domain) or _is_pattern(domain):
            continue  # other checks report its other problems
        if domain.isascii() and "xn--" not in domain.lower():
            message = f"`{written}` is not a valid host or domain name."
            hint = "Names consist of letters, digits, hyphens and dots; `{domain}` is replaced only in a provider."
        else:
            message = f"`{written}` is not a domain name under IDNA 2008."
            hint = "Check its spelling; emoji and invisible characters are not allowed."
        yield Finding("name/invalid-domain", raw, route, message, hint)


def _is_pattern(domain: str) -> bool:
    return domain.isascii() and "*" in domain


def _domains(value: JSON, route: Route = (), field: str = "") -> Iterator[tuple[Route, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _domains(item, (*route, key), key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _domains(item, (*route, index), field)
    elif isinstance(value, str):
        if field in ADDRESS_FIELDS:
            yield route, value.rpartition("@")[2]
        elif field in HOST_FIELDS:
            yield route, value
        elif field in URL_FIELDS:
            host = _host(value)
            if not host.isascii():  # `oauth2/endpoint` covers the rest
                yield route, host


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets without an IPv6 address
        return ""


CHECKS: Final[tuple[Check, ...]] = (valid,)
