"""The URL of a PostgreSQL database, parsed without the driver.

The syntax is libpq's: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

SCHEMES: Final = ("postgresql", "postgresql+psycopg", "postgres")

_PLACE: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{0,5}))?")
_LAST_PORT: Final = 65535
_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


@dataclass(frozen=True, slots=True)
class PostgresqlUrl:
    """A URL that libpq can read.

    ``text`` may hold a password, so only ``shown`` is ever printed. ``hosts`` are where a connection
    goes: host names, addresses, and folders of Unix sockets; empty for the default socket.
    """

    text: str = field(repr=False)
    shown: str
    user: str
    hosts: tuple[str, ...]
    has_password: bool
    options: tuple[tuple[str, str], ...] = field(repr=False)

    def option(self, name: str) -> str:
        """The value of a parameter after the question mark; empty if missing."""
        return dict(self.options).get(name, "")

    @property
    def stays_here(self) -> bool:
        """Whether a connection stays on this machine: through a Unix socket, or on loopback."""
        return all(not host or host[0] in "/@" or _LOOPBACK.fullmatch(host) for host in self.hosts)

    @property
    def tls(self) -> str:
        """Its ``sslmode``; empty if it has none.

        With ``sslrootcert=system``, libpq allows only ``verify-full``.
        """
        implied = "verify-full" if self.option("sslrootcert") == "system" else ""
        return self.option("sslmode") or implied

    @property
    def verified(self) -> bool:
        """Whether a connection verifies the server's identity."""
        return self.stays_here or self.tls == "verify-full" or "service" in dict(self.options)


def parse(url: str) -> PostgresqlUrl | None:
    """Read a URL; None if it is not one of PostgreSQL's.

    Raises ValueError, which never repeats the URL because it may hold a password, if it is one and
    cannot be read.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        return None
    before, _, query = rest.partition("?")
    authority, slash, database = before.partition("/")
    identity, at, places = authority.rpartition("@")
    # A later blank or @ is most likely part of a password without %XX escapes.
    if "@" in database or "/" in database or "@" in identity:
        raise ValueError("a part of it must be written with %XX")
    user, colon, password = identity.partition(":")
    hosts = tuple(_host(place) for place in places.split(","))
    options = tuple(parse_qsl(query, keep_blank_values=True))
    named = dict(options)
    reached = named.get("hostaddr") or named.get("host")
    return PostgresqlUrl(
        text=f"postgresql://{rest}",
        shown=f"postgresql://{user}{at and '@'}{places}{slash}{database}",
        user=unquote(user) or named.get("user", ""),
        hosts=tuple(reached.split(",")) if reached else hosts,
        has_password=bool(colon and password) or bool(named.get("password")),
        options=options,
    )


def _host(place: str) -> str:
    found = _PLACE.fullmatch(place)
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        raise ValueError("no host and port")
    return unquote(found["host"].strip("[]"))
