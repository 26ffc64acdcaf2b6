"""The web proxy that the environment names: token endpoints are reached through it, mail servers never are.

``HTTPS_PROXY`` and ``NO_PROXY`` mean what they mean to curl and to Go: the name in lower case comes first, an
empty variable stands for none, and this machine itself is never asked for through a proxy.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote, urlsplit

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
    """A proxy, and what it is signed in to with; no text shows that."""

    host: str
    port: int
    credentials: Secret | None = field(default=None, repr=False)
    """User name and password with a colon in between, as Basic has it (RFC 7617)."""

    def __str__(self) -> str:
        return f"{in_brackets(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What the environment says of proxies.

    ``variable`` is the one that names the proxy, empty if none does. ``problem`` says why that one cannot be
    used; nothing of its value is in there.
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
        """Whether the variables mean connections to this place too, whoever makes them."""
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
    """Read a proxy's URL; raises ValueError, which repeats nothing of it."""
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
    # A "/" in a password that is not encoded would make the host a part of the password.
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
    """Whether an entry of ``NO_PROXY`` names the place: ``*``, a domain, an address or a network."""
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
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host
