"""Redirects connections: ``--connect-to HOST:PORT=ADDR:PORT``, as in curl.

Only TCP is redirected. The name that TLS sends and checks, and everything sent over the connection,
stay those of the original host. The entry ``*`` forbids all other connections, so that a test bench is
isolated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from reconciler.errors import UsageError
from reconciler.mail.faults import NotRedirected
from reconciler.mail.resolve import ascii_host
from reconciler.model.connect_to import entries

if TYPE_CHECKING:
    from collections.abc import Iterable

Place = tuple[str, int]
"""A host name or address, without brackets, and a port."""

_PLACE = r"(?:\[([^\[\]\s]+)\]|([^\[\]:=\s,]+)):([0-9]{1,5})"
_ENTRY = re.compile(f"{_PLACE}={_PLACE}")
_HINT = (
    "Write HOST:PORT=ADDRESS:PORT, for example imap.example.com:993=127.0.0.1:10993; "
    "an IPv6 address stands in brackets."
)
_HIGHEST_PORT = 65535
_NOTHING_ELSE = "*"


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """Redirections of TCP connections; empty for none. With ``only``, all other connections are forbidden."""

    redirections: tuple[tuple[Place, Place], ...] = ()
    only: bool = False
    _targets: dict[Place, Place] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index them: a test bench may redirect thousands of hosts."""
        object.__setattr__(self, "_targets", dict(reversed(self.redirections)))

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read entries, each text holding any number of them with commas or blanks between.

        Raises UsageError for an invalid entry, and for one host and port with two targets.
        """
        found: dict[Place, Place] = {}
        only = False
        for entry in entries(texts):
            if entry == _NOTHING_ELSE:
                only = True
                continue
            match = _ENTRY.fullmatch(entry)
            if match is None:
                raise UsageError(f"invalid redirection {entry!r}", hint=_HINT)
            source = _place(entry, match[1] or match[2], match[3])
            target = _place(entry, match[4] or match[5], match[6])
            if found.setdefault(source, target) != target:
                raise UsageError(
                    f"connections to {source[0]}:{source[1]} are redirected to two places",
                    hint="Keep one of the two redirections.",
                )
        return cls(tuple(found.items()), only)

    def target(self, host: str, port: int) -> Place:
        """Where to connect to for ``host`` and ``port``; raises NotRedirected if that is forbidden."""
        found = self.led(host, port)
        if found is None and self.only:
            raise NotRedirected(
                f"{host}:{port} is not redirected, and other connections are forbidden"
            )
        return found or (host, port)

    def led(self, host: str, port: int) -> Place | None:
        """The target for connections to ``host`` and ``port``; None if they are not redirected."""
        return self._targets.get((ascii_host(host), port))

    def __bool__(self) -> bool:
        return bool(self.redirections) or self.only


def _place(entry: str, host: str, port: str) -> Place:
    if not 1 <= int(port) <= _HIGHEST_PORT:
        raise UsageError(f"invalid port {port} in {entry!r}", hint=_HINT)
    return ascii_host(host), int(port)
