"""The result of a search: servers, how to sign in, and the source."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.model.connector import Security
from reconciler.model.domain import domain_key
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from reconciler.model.provider import Provider, ServerDefaults, SignInMethod

HIGHEST_PORT: Final = 65535

_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})+", re.ASCII)
_LONGEST_HOST: Final = 253
_NUMBERS: Final = re.compile(r"[0-9.]+")


class Source(StrEnum):
    """Where settings were found; the first five in search order."""

    PROVIDER = "known providers"
    MX = "mail exchangers (MX)"
    AUTOCONFIG = "autoconfig of the domain"
    SRV = "SRV records (RFC 6186, RFC 8314)"
    GUESS = "guessed names"
    OPTIONS = "the options that were given"
    FILE = "the settings of another program"


class FoundServer(Struct, frozen=True):
    """One server. ``username`` is None where it is the address."""

    protocol: Protocol
    host: str
    port: int
    security: Security
    username: str | None = None

    def __str__(self) -> str:
        how = {
            Security.IMPLICIT: "implicit TLS",
            Security.STARTTLS: "STARTTLS",
            Security.NONE: "no TLS",
        }
        return f"{self.protocol.upper()} {self.host}:{self.port}, {how[self.security]}"


class FoundSettings(Struct, frozen=True, kw_only=True):
    """The settings from one source; ``provider`` is set if they are a provider's.

    ``sign_in`` lists the accepted methods, empty if unknown. ``anonymous`` says that SMTP
    accepts mail without a sign-in.
    """

    source: Source
    provider: Provider | None = None
    imap: FoundServer | None = None
    smtp: FoundServer | None = None
    sign_in: tuple[SignInMethod, ...] = ()
    anonymous: bool = False

    @property
    def servers(self) -> tuple[FoundServer, ...]:
        """The servers that were found, IMAP first."""
        return tuple(server for server in (self.imap, self.smtp) if server is not None)

    def outside(self, domain: str) -> tuple[str, ...]:
        """The hosts that are neither in ``domain`` nor a known provider's: untrusted ones."""
        if self.provider is not None:
            return ()
        return tuple(
            dict.fromkeys(item.host for item in self.servers if not is_within(item.host, domain))
        )


class Lookup(Struct, frozen=True):
    """One step of the search: the source, the outcome, and the settings, if any."""

    source: Source
    answer: str
    found: FoundSettings | None = None


def is_within(host: str, domain: str) -> bool:
    """Whether a host is the domain or a subdomain of it."""
    name, top = domain_key(host), domain_key(domain)
    return name == top or name.endswith(f".{top}")


def host_of(text: str) -> str | None:
    """A host name from the network, in lower case and ASCII.

    None for anything else, addresses too.
    """
    name = domain_key(text.strip())
    fits = len(name) <= _LONGEST_HOST and _HOST.fullmatch(name) is not None
    return name if fits and not _NUMBERS.fullmatch(name) else None


def settings_of(provider: Provider, source: Source, address: str) -> FoundSettings:
    """The settings that a provider gives for an address."""
    return FoundSettings(
        source=source,
        provider=provider,
        imap=_server(Protocol.IMAP, provider.imap, address),
        smtp=_server(Protocol.SMTP, provider.smtp, address),
        sign_in=provider.sign_in,
    )


def _server(
    protocol: Protocol, defaults: ServerDefaults | None, address: str
) -> FoundServer | None:
    if defaults is None:
        return None
    host = defaults.server_for(address.rpartition("@")[2])
    if host is None:
        return None
    name = defaults.username_form.of(address)
    return FoundServer(
        protocol, host, defaults.port, defaults.security, name if name != address else None
    )
