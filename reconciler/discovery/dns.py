"""MX and SRV records, through dnspython, which is imported only here and only when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

from reconciler.discovery.found import host_of
from reconciler.mail.faults import MailFault
from reconciler.wording import install_extra

if TYPE_CHECKING:
    from reconciler.mail.deadline import Deadline

MOST: Final = 20
"""The maximum number of records to use; a mail domain has a handful."""
_LONGEST_WAIT: Final = 5.0
"""Seconds for one query, including all servers and retries."""


class LookupFailed(Exception):
    """A query could not be sent or was not answered; the message says why."""


class ServiceTarget(Struct, frozen=True):
    """Where a service is (RFC 2782)."""

    host: str
    port: int


class Records(Protocol):
    """The DNS queries that a search needs. Both raise LookupFailed."""

    def mx(self, domain: str, deadline: Deadline) -> tuple[str, ...]:
        """The mail exchangers of a domain, the most preferred first; none if it has none."""
        ...

    def srv(self, name: str, deadline: Deadline) -> tuple[ServiceTarget, ...]:
        """The targets of a service, the most preferred first; none if it is not offered."""
        ...


class Unasked:
    """Queries nothing, if connections are forbidden."""

    def mx(self, domain: str, deadline: Deadline) -> tuple[str, ...]:
        """See :class:`Records`."""
        del domain, deadline
        raise LookupFailed("not asked: other connections are forbidden")

    def srv(self, name: str, deadline: Deadline) -> tuple[ServiceTarget, ...]:
        """See :class:`Records`."""
        del name, deadline
        raise LookupFailed("not asked: other connections are forbidden")


class NameServer:
    """Queries the system's name servers, or a given address and port."""

    def __init__(self, server: tuple[str, int] | None = None) -> None:
        self._server = server

    def mx(self, domain: str, deadline: Deadline) -> tuple[str, ...]:
        """See :class:`Records`."""
        answers = sorted(self._ask(domain, "MX", deadline), key=lambda item: item.preference)
        return tuple(host for item in answers if (host := _host(item.exchange)))

    def srv(self, name: str, deadline: Deadline) -> tuple[ServiceTarget, ...]:
        """See :class:`Records`; equal priorities are ordered by weight, for stable results."""
        answers = sorted(
            self._ask(name, "SRV", deadline), key=lambda item: (item.priority, -item.weight)
        )
        return tuple(
            ServiceTarget(host, item.port)
            for item in answers
            if (host := _host(item.target)) and item.port
        )

    def _ask(self, name: str, kind: str, deadline: Deadline) -> list[Any]:
        try:
            import dns.exception  # noqa: PLC0415 - an extra
            import dns.resolver  # noqa: PLC0415 - an extra
        except ImportError:
            raise LookupFailed(f"not asked. {install_extra('discover')}") from None
        try:
            resolver = dns.resolver.Resolver(configure=self._server is None)
            if self._server is not None:
                resolver.nameservers = [self._server[0]]
                resolver.port = self._server[1]
            wait = min(deadline.remaining(), _LONGEST_WAIT)
            answer = resolver.resolve(f"{name}.", kind, search=False, lifetime=wait)
            return list(answer)[:MOST]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.Timeout:
            raise LookupFailed("no name server answered in time") from None
        except (dns.exception.DNSException, OSError, ValueError):
            raise LookupFailed("the name servers gave no usable answer") from None
        except MailFault as fault:
            raise LookupFailed(str(fault)) from None


def _host(name: Any) -> str | None:
    """A target as a host name.

    None for the root, which means that there is none (RFC 7505, RFC 2782).
    """
    return host_of(name.to_text(omit_final_dot=True))
