"""One attempt at one half of a connector: the stages that both protocols have."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reconciler.connection.errors import WrongMode
from reconciler.connection.failure import Stage
from reconciler.connection.observed import Observed, Offer, names
from reconciler.connection.tls_mode import is_not_tls, speaks_plainly, speaks_tls
from reconciler.mail.faults import MailFault, TimedOut
from reconciler.mail.resolve import ascii_host, resolve
from reconciler.mail.tls import PeerCertificate, chain, shared_context
from reconciler.mail.wire import Wire
from reconciler.model.connector import Security

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.connection.account import Account
    from reconciler.connection.options import ProbeOptions
    from reconciler.mail.credentials import Credential
    from reconciler.mail.deadline import Deadline
    from reconciler.mail.resolve import ResolvedAddress
    from reconciler.mail.tls import Certificate

_GREETING_SHARE = 0.6
"""How much of the time is given to a greeting in plain text, so that some is left to ask why none came."""


class Skip(Exception):
    """Raised by a stage that there is nothing to do in; the message says why."""


SIGNED_IN: Final = (Stage.DNS, Stage.TCP, Stage.TLS, Stage.CAPABILITIES, Stage.AUTHENTICATION)
"""The stages that lead to a session that is signed in. A stage that tests add is not among them."""


def sign_in(session: AccountSession, reached: Callable[[Stage], None]) -> None:
    """Take a session to where it is signed in; ``reached`` is told each stage before it begins.

    What goes wrong is raised as it is; nothing is tried twice, and the session stays open.
    """
    steps = dict(session.stages)
    for stage in SIGNED_IN:
        reached(stage)
        with suppress(Skip):
            steps[stage]()


class AccountSession(ABC):
    """One connection and what is done over it.

    Each stage returns what is worth telling of it, which may hold a server's words as they came.
    ``sign_in_with`` obtains the credential; it is called after TLS is up and not before.
    """

    def __init__(
        self,
        account: Account,
        options: ProbeOptions,
        deadline: Deadline,
        sign_in_with: Callable[[], Credential],
    ) -> None:
        self.account = account
        self.sign_in_with = sign_in_with
        self._options = options
        self._deadline = deadline
        self._endpoints: tuple[ResolvedAddress, ...] = ()
        self._wire: Wire | None = None
        self._peer: PeerCertificate | None = None
        self._offer: Offer | None = None

    @property
    def stages(self) -> tuple[tuple[Stage, Callable[[], str]], ...]:
        """The stages in order, each with what it does."""
        return (
            (Stage.DNS, self.dns),
            (Stage.TCP, self.tcp),
            (Stage.TLS, self.tls),
            (Stage.CAPABILITIES, self.capabilities),
            (Stage.AUTHENTICATION, self.authentication),
        )

    @property
    def endpoints(self) -> tuple[ResolvedAddress, ...]:
        """Where the host is, once it was looked up."""
        return self._endpoints

    @property
    def wire(self) -> Wire:
        """The connection."""
        if self._wire is None:
            raise RuntimeError("there is no connection yet")
        return self._wire

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """The certificates that were verified; none without TLS."""
        sock = self._wire.tls if self._wire is not None else None
        return () if sock is None else chain(sock)

    def dns(self) -> str:
        """Look up where to connect to."""
        host, port = self._options.connect_to.target(self.account.host, self.account.port)
        self._endpoints = resolve(host, port, self._deadline)
        return ", ".join(endpoint.text for endpoint in self._endpoints)

    def tcp(self) -> str:
        """Connect."""
        self._wire = Wire.connect(self._endpoints, self._deadline)
        return ""

    def tls(self) -> str:
        """Put TLS on the connection in the way that is set, and verify the server."""
        match self.account.security:
            case Security.NONE:
                raise Skip("plain text, as the configuration has it")
            case Security.STARTTLS:
                self.greet_plainly()
                self.upgrade(self._context, ascii_host(self.account.host))
            case Security.IMPLICIT:
                self._start_tls()
        return self._certificate()

    def capabilities(self) -> str:
        """Ask what the server can do."""
        if self.account.security is Security.IMPLICIT:
            self.greet()
        elif self.account.security is Security.NONE:
            self.greet_plainly()
        detail = self.ask_capabilities()
        self._offer = self.offer()
        return detail

    def observed(self, show: Callable[[str], str]) -> Observed | None:
        """What the server has shown of itself so far; None for nothing. ``show`` masks its words."""
        peer, offer = self._peer, self._offer
        if peer is None and offer is None:
            return None
        return Observed(
            tls_version=peer.version if peer else "",
            certificate_issuer=show(peer.issuer[:60]) if peer else "",
            certificate_expires=peer.not_after if peer else None,
            mechanisms=names(offer.mechanisms, show) if offer else (),
            capabilities=names(offer.capabilities, show) if offer else (),
            size_limit=offer.size_limit if offer else None,
        )

    def greet_plainly(self) -> None:
        """Read the greeting; if none comes, find out whether the server waits for TLS."""
        wire = self.wire
        wire.deadline = self._deadline.part(_GREETING_SHARE)
        try:
            self.greet()
        except TimedOut as fault:
            if fault.silent and speaks_tls(
                self._endpoints, self.account.host, self._context, self._deadline
            ):
                raise WrongMode(Security.IMPLICIT) from None
            raise
        finally:
            wire.deadline = self._deadline

    @abstractmethod
    def greet(self) -> None:
        """Read the greeting."""

    @abstractmethod
    def upgrade(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Do STARTTLS."""

    @abstractmethod
    def ask_capabilities(self) -> str:
        """Ask what the server can do, if it has not said so yet."""

    @abstractmethod
    def offer(self) -> Offer:
        """What it has said that it can do."""

    @abstractmethod
    def authentication(self) -> str:
        """Sign in."""

    @abstractmethod
    def say_goodbye(self) -> None:
        """End the session, if there is one."""

    def close(self) -> None:
        """Let go of the connection, politely if that costs nothing."""
        if self._wire is None:
            return
        try:
            self.say_goodbye()
        finally:
            self._wire.close()

    @property
    def _context(self) -> ssl.SSLContext:
        return shared_context(self._options.ca_file)

    def _start_tls(self) -> None:
        try:
            self.wire.start_tls(self._context, ascii_host(self.account.host))
        except ssl.SSLError as error:
            if is_not_tls(error):
                speaks = speaks_plainly(self.account.protocol, self._endpoints, self._deadline)
                if speaks is not None:
                    raise WrongMode(speaks) from None
            raise

    def _certificate(self) -> str:
        sock = self.wire.tls
        if sock is None:
            raise MailFault("TLS is not up")
        certificate = self._peer = PeerCertificate.of(sock)
        days = certificate.days_left(datetime.now(UTC))
        issuer = f", issued by {certificate.issuer[:60]}" if certificate.issuer else ""
        return f"{certificate.version}{issuer}, certificate expires in {days} days"
