"""A session with the server of one account, and the stages that both protocols have."""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.connection.context import FailureContext
from reconciler.connection.errors import WrongMode
from reconciler.connection.failure import Stage
from reconciler.connection.observed import Observed, Offer, fit, names
from reconciler.connection.tls_mode import is_not_tls, speaks_plainly, speaks_tls
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import MailFault, TimedOut
from reconciler.mail.resolve import ascii_host, resolve
from reconciler.mail.tls import PeerCertificate, chain, client_context, shared_context
from reconciler.mail.wire import Wire
from reconciler.model.connector import Security

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from threading import Event

    from reconciler.connection.account import Account
    from reconciler.connection.account_secrets import AccountSecrets
    from reconciler.connection.failure import Failure
    from reconciler.connection.options import ProbeOptions
    from reconciler.mail.credentials import Credential
    from reconciler.mail.resolve import ResolvedAddress
    from reconciler.mail.tls import Certificate

_GREETING_SHARE = 0.6
"""The share of the time to wait for a plain-text greeting.

The rest is for diagnosing why none came.
"""


class Skip(Exception):
    """A stage had nothing to do; the message says why."""


class PassedStage(Struct, frozen=True):
    """A stage that went well, in ``seconds``; ``skipped`` if there was nothing to do.

    ``detail`` is for a report, ``warning`` for the user.
    """

    stage: Stage
    seconds: float
    detail: str
    skipped: bool = False
    warning: str = ""


def _ignore(_: PassedStage) -> None:
    """Discard a stage that went well."""


class AccountSession(ABC):
    """One connection to the server of an account, and what is done over it.

    ``stage`` is the current stage and ``began`` its start, by the monotonic clock. ``warning``
    is a remark on a stage that goes well; "" for none. ``cancelled`` ends every wait with
    Cancelled. Without ``deadline``, the options' ``timeout`` begins to count when the secrets
    are resolved.
    """

    def __init__(
        self,
        account: Account,
        secrets: AccountSecrets,
        options: ProbeOptions,
        cancelled: Event | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        self.account = account
        self.stage = Stage.SECRET
        self.began = time.monotonic()
        self.warning = ""
        self._own_context: ssl.SSLContext | None = None
        self._secrets = secrets
        self._options = options
        self._cancelled = cancelled
        self._deadline = deadline
        self._endpoints: tuple[ResolvedAddress, ...] = ()
        self._wire: Wire | None = None
        self._peer: PeerCertificate | None = None
        self._offer: Offer | None = None

    @property
    def steps(self) -> Mapping[Stage, Callable[[], str]]:
        """The function of each stage. It returns a detail, in which a server's text is redacted."""
        return {
            Stage.SECRET: self.secret,
            Stage.DNS: self.dns,
            Stage.TCP: self.tcp,
            Stage.TLS: self.tls,
            Stage.CAPABILITIES: self.capabilities,
            Stage.AUTHENTICATION: self.authentication,
        }

    def open(
        self, stages: Iterable[Stage], passed: Callable[[PassedStage], None] = _ignore
    ) -> None:
        """Go through exactly these stages, in this order; ``passed`` is called after each.

        The first failure ends it: its exception is raised unchanged, and :meth:`explain`
        interprets it. Nothing is tried twice. The caller closes the session.
        """
        steps = self.steps
        for stage in stages:
            self.stage, self.began, self.warning = stage, time.monotonic(), ""
            skipped = False
            try:
                detail = steps[stage]()
            except Skip as reason:
                detail, skipped = str(reason), True
            seconds = time.monotonic() - self.began
            passed(PassedStage(stage, seconds, detail, skipped, self.warning))

    def explain(self, error: Exception) -> Failure:
        """Explain an exception that was raised at the current stage."""
        from reconciler.connection.diagnosis import classify  # noqa: PLC0415 - who opens many has it loaded

        return classify(error, self.context)

    @property
    def context(self) -> FailureContext:
        """The context of a failure at the current stage."""
        account, options = self.account, self._options
        return FailureContext(
            account,
            self.stage,
            self._secrets.redactor,
            options.show_server_text,
            options.bypassed_proxy(account.host, account.port),
        )

    def show(self, text: str) -> str:
        """Redact a server's text for display."""
        return self._secrets.redactor.show(text)

    def show_all(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Redact several texts of a server for display together."""
        return self._secrets.redactor.show_all(texts)

    @property
    def deadline(self) -> Deadline:
        """The deadline for everything after the secrets; it starts on first use."""
        if self._deadline is None:
            seconds = self.account.connector.timeout_seconds or self._options.timeout
            self._deadline = Deadline(seconds, self._cancelled)
        return self._deadline

    @property
    def endpoints(self) -> tuple[ResolvedAddress, ...]:
        """The addresses of the host once resolved, and the one in use once known."""
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

    def secret(self) -> str:
        """Resolve every secret of the account."""
        references = self._secrets.resolve()
        if not references:
            raise Skip("no secret is needed")
        return references

    def dns(self) -> str:
        """Look up where to connect to."""
        host, port = self._options.connect_to.target(self.account.host, self.account.port)
        self._endpoints = resolve(host, port, self.deadline)
        return ", ".join(endpoint.text for endpoint in self._endpoints)

    def tcp(self) -> str:
        """Connect."""
        wire = Wire.connect(self._endpoints, self.deadline, winners=self._options.winners)
        self._wire = wire
        if wire.address is not None:
            self._endpoints = (wire.address,)
        return ""

    def tls(self) -> str:
        """Secure the connection with the configured TLS mode, and verify the server."""
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
        """Read the server's capabilities."""
        if self.account.security is Security.IMPLICIT:
            self.greet()
        elif self.account.security is Security.NONE:
            self.greet_plainly()
        self.ask_capabilities()
        self._offer = self.offer()
        return f"signs in with {', '.join(fit(self._offer.mechanisms, self.show_all)) or 'nothing'}"

    @property
    def observed(self) -> Observed | None:
        """What the server has revealed so far; None for nothing."""
        peer, offer, show = self._peer, self._offer, self.show
        if peer is None and offer is None:
            return None
        return Observed(
            tls_version=peer.version if peer else "",
            certificate_issuer=show(peer.issuer[:60]) if peer else "",
            certificate_expires=peer.not_after if peer else None,
            mechanisms=names(offer.mechanisms, self.show_all) if offer else (),
            capabilities=names(offer.capabilities, self.show_all) if offer else (),
            size_limit=offer.size_limit if offer else None,
        )

    def authentication(self) -> str:
        """Sign in, with exactly one attempt."""
        if not self.account.settings.signs_in:
            raise Skip("no sign-in, as the configuration has it")
        mechanism = self.sign_in(self._secrets.credential(self.deadline))
        self.warning = self._secrets.spent
        return f"signed in with {mechanism}"

    def greet_plainly(self) -> None:
        """Read the greeting; if none comes, find out whether the server waits for TLS."""
        wire = self.wire
        wire.deadline = self.deadline.part(_GREETING_SHARE)
        try:
            self.greet()
        except TimedOut as fault:
            if fault.silent and speaks_tls(
                self._endpoints, self.account.host, self._context, self.deadline
            ):
                raise WrongMode(Security.IMPLICIT) from None
            raise
        finally:
            wire.deadline = self.deadline

    @abstractmethod
    def greet(self) -> None:
        """Read the greeting."""

    @abstractmethod
    def upgrade(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Do STARTTLS."""

    @abstractmethod
    def ask_capabilities(self) -> None:
        """Ask for the server's capabilities if they are not yet known."""

    @abstractmethod
    def offer(self) -> Offer:
        """The server's capabilities."""

    @abstractmethod
    def sign_in(self, credential: Credential) -> str:
        """Sign in once and return the mechanism."""

    @abstractmethod
    def say_goodbye(self) -> None:
        """End the session, if there is one."""

    def close(self) -> None:
        """Close the connection, politely if that costs nothing."""
        if self._wire is None:
            return
        try:
            self.say_goodbye()
        finally:
            self._wire.close()

    def abandon(self) -> None:
        """Drop the connection silently: another process is using it."""
        if self._wire is not None:
            self._wire.close()

    @property
    def _context(self) -> ssl.SSLContext:
        files = (self._options.ca_file, self._options.authority_of(self.account.connector))
        shown = self._secrets.client_certificate
        if shown is None:
            return shared_context(*files)
        if self._own_context is None:
            self._own_context = client_context(files, *(item.reveal() for item in shown))
        return self._own_context

    def _start_tls(self) -> None:
        try:
            self.wire.start_tls(self._context, ascii_host(self.account.host))
        except ssl.SSLError as error:
            if is_not_tls(error):
                speaks = speaks_plainly(self.account.protocol, self._endpoints, self.deadline)
                if speaks is not None:
                    raise WrongMode(speaks) from None
            raise

    def _certificate(self) -> str:
        sock = self.wire.tls
        if sock is None:
            raise MailFault("TLS is not up")
        certificate = self._peer = PeerCertificate.of(sock)
        days = certificate.days_left(datetime.now(UTC))
        issuer = f", issued by {self.show(certificate.issuer[:60])}" if certificate.issuer else ""
        return f"{certificate.version}{issuer}, certificate expires in {days} days"
