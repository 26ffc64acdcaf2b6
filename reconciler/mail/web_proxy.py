"""The web proxy from the environment, used for token endpoints but never for mail servers.

``HTTPS_PROXY`` and ``NO_PROXY`` work as in curl and Go: the lower-case name takes precedence, an empty
variable means none, and loopback addresses never use a proxy.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from reconciler.mail.faults import ProxyUnusable
from reconciler.mail.resolve import ascii_host
from reconciler.secrets.base import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROXY_VARIABLES: Final = ("https_proxy", "HTTPS_PROXY")
_EXCEPTION_VARIABLES: Final = ("no_proxy", "NO_PROXY")
_HTTP_PORT: Final = 80


@dataclass(frozen=True, slots=True)
class WebProxy:
    """A proxy, and its credentials, which are never shown."""

    host: str
    port: int
    credentials: Secret | None = field(default=None, repr=False)
    """User name and password joined by a colon, as in Basic (RFC 7617)."""

    def __str__(self) -> str:
        return f"{in_brackets(self.host)}:{self.port}"


class ProxySettings(Struct, frozen=True):
    """The proxy settings of the environment.

    ``variable`` is the one that names the proxy, empty if none does. ``problem`` says why that one is
    invalid, without quoting its value.
    """

    proxy: WebProxy | None = None
    variable: str = ""
    problem: str = ""
    exceptions: tuple[str, ...] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; this never fails, since few commands need a proxy."""
        variable = _first(environ, _PROXY_VARIABLES)
        url = environ[variable].strip() if variable else ""
        if not url:
            return cls()
        excepted = environ.get(_first(environ, _EXCEPTION_VARIABLES), "")
        exceptions = tuple(item.lower() for item in re.split(r"[,\s]+", excepted) if item)
        try:
            return cls(_proxy(url), variable, exceptions=exceptions)
        except ValueError as error:
            return cls(None, variable, f"{variable} {error}", exceptions)

    def applies_to(self, host: str, port: int) -> bool:
        """Whether the variables apply to connections to this host at all."""
        return bool(self.variable) and not (
            _is_this_machine(host) or any(_excepts(item, host, port) for item in self.exceptions)
        )

    def proxy_for(self, host: str, port: int) -> WebProxy | None:
        """The proxy to go through, or None; raises ProxyUnusable."""
        if not self.applies_to(host, port):
            return None
        if self.proxy is None:
            raise ProxyUnusable(self.problem)
        return self.proxy

    def __str__(self) -> str:
        """The proxy and its exceptions, without its password."""
        if not self.variable:
            return "none"
        shown = f"http://{self.proxy}" if self.proxy is not None else f"unusable: {self.problem}"
        if self.proxy is not None and self.proxy.credentials is not None:
            shown += ", with credentials"
        return f"{shown}, but not for {', '.join(self.exceptions)}" if self.exceptions else shown


NO_PROXIES: Final = ProxySettings()


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in environ), "")


def _proxy(url: str) -> WebProxy:
    """Read a proxy's URL; raises ValueError, which does not quote it."""
    scheme, sign, _ = url.partition("://")
    if sign and scheme.lower() != "http":
        kind = scheme.lower() if re.fullmatch(r"[A-Za-z0-9+.-]{1,12}", scheme) else "unknown"
        raise ValueError(f"names a proxy of the kind {kind}: expected http://HOST:PORT")
    host, port, user, password, beyond = "", 0, None, "", "?"
    with suppress(ValueError):
        parts = urlsplit(url if sign else f"http://{url}")
        host, port = ascii_host(parts.hostname or ""), parts.port or _HTTP_PORT
        user, password = parts.username, unquote(parts.password or "")
        beyond = parts.path.strip("/") or parts.query or parts.fragment
    # An unencoded "/" in a password would make part of the password the host.
    if beyond or not re.fullmatch(r"[a-z0-9._:-]+", host):
        raise ValueError(
            "is not the URL of a proxy: expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT,"
            " with characters such as @ and / in the password written as %40 and %2F"
        )
    return WebProxy(host, port, None if user is None else Secret(f"{unquote(user)}:{password}"))


def _is_this_machine(host: str) -> bool:
    name = ascii_host(host).rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _excepts(entry: str, host: str, port: int) -> bool:
    """Whether an entry of ``NO_PROXY`` matches the host: ``*``, a domain, an address or a network."""
    if entry == "*":
        return True
    place = re.fullmatch(r"(\[[^\]]*\]|[^:]*):([0-9]{1,5})", entry)
    if place is not None:
        entry, only = place[1], int(place[2])
        if only != port:
            return False
    name, wanted = ascii_host(host).rstrip("."), entry.strip("[]").removeprefix("*")
    try:
        return ip_address(name) in ip_network(wanted, strict=False)
    except ValueError:
        domain = ascii_host(wanted.lstrip(".")).rstrip(".")
        return bool(domain) and (name == domain or name.endswith(f".{domain}"))


def in_brackets(host: str) -> str:
    """A host as written before a port."""
    return f"[{host}]" if ":" in host else host
