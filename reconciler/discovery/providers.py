"""Recognises a provider by the domain of an address, its mail exchangers, or its servers."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reconciler.model.domain import domain_key, pattern_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.discovery.found import FoundServer
    from reconciler.model.provider import Provider


def of_domain(domain: str, providers: Iterable[Provider]) -> Provider | None:
    """The provider whose document lists a domain."""
    return next((item for item in providers if _matches(domain, item.domains)), None)


def of_exchangers(hosts: Iterable[str], providers: Iterable[Provider]) -> Provider | None:
    """The provider of a domain's mail exchangers; the most preferred one decides."""
    known = tuple(providers)
    for host in hosts:
        for item in known:
            if _matches(host, item.mx):
                return item
    return None


def of_servers(servers: Iterable[FoundServer], providers: Iterable[Provider]) -> Provider | None:
    """The only provider with exactly these servers, ports and modes."""
    wanted = {(item.protocol, domain_key(item.host), item.port, item.security) for item in servers}
    found = [
        item
        for item in providers
        if wanted
        and wanted
        <= {
            (protocol, domain_key(side.server), side.port, side.security)
            for protocol, side in (("imap", item.imap), ("smtp", item.smtp))
            if side is not None
        }
    ]
    return found[0] if len(found) == 1 else None


def _matches(name: str, patterns: Iterable[str]) -> bool:
    key = domain_key(name)
    return any(fnmatchcase(key, pattern_key(pattern)) for pattern in patterns)
