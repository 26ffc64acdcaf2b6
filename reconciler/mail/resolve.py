"""Resolves a host name to addresses, within a deadline."""

from __future__ import annotations

import socket
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.mail.faults import MailFault, TimedOut, Unresolvable
from reconciler.model.domain import domain_key

if TYPE_CHECKING:
    from reconciler.mail.deadline import Deadline


def ascii_host(host: str) -> str:
    """The normalised form of a host name: lower case and ASCII.

    Non-ASCII names are encoded by IDNA 2008, unlike in :mod:`ssl` and :mod:`socket`, which must
    therefore never see one. An invalid name is returned in lower case; nothing connects to it.
    """
    return domain_key(host.strip("[]"))


class ResolvedAddress(Struct, frozen=True):
    """One address that a connection can be made to, in the form that the socket library takes."""

    family: socket.AddressFamily
    address: tuple[str | int | bytes, ...]

    @property
    def text(self) -> str:
        """The address alone, without the port."""
        return str(self.address[0])


def resolve(host: str, port: int, deadline: Deadline) -> tuple[ResolvedAddress, ...]:
    """Resolve a host; an IP address is returned without a query.

    Raises Unresolvable, TimedOut or Cancelled. The library's function can be neither limited nor
    stopped, so it runs in a separate thread, which is abandoned when time is up.
    """
    name = ascii_host(host)
    if not name.isascii():
        raise Unresolvable("the name is not valid under IDNA 2008")
    try:
        return _look_up(name, port, socket.AI_NUMERICHOST)
    except Unresolvable:
        pass
    answers: SimpleQueue[tuple[ResolvedAddress, ...] | MailFault] = SimpleQueue()
    Thread(target=_ask, args=(name, port, answers), name=f"dns-{name}", daemon=True).start()
    while True:
        try:
            answer = answers.get(timeout=deadline.slice())
        except Empty:
            continue
        except TimedOut:
            raise TimedOut(silent=True) from None
        if isinstance(answer, MailFault):
            raise answer
        return answer


def _ask(
    name: str, port: int, answers: SimpleQueue[tuple[ResolvedAddress, ...] | MailFault]
) -> None:
    try:
        answers.put(_look_up(name, port, 0))
    except MailFault as fault:
        answers.put(fault)


def _look_up(name: str, port: int, flags: int) -> tuple[ResolvedAddress, ...]:
    try:
        found = socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=flags
        )
    except (OSError, UnicodeError) as error:
        reason = (
            error.strerror if isinstance(error, OSError) and error.strerror else "no valid name"
        )
        raise Unresolvable(reason) from None
    return tuple(
        dict.fromkeys(ResolvedAddress(family, address) for family, _, _, _, address in found)
    )
