"""A session with the server of one account, and the stages that both protocols have."""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

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
"""Share of the time that is given to a greeting in plain text; the rest is to find out why none came."""


class Skip(Exception):
    """Raised by a stage with nothing to do; the message says why."""


@dataclass(frozen=True, slots=True)
class PassedStage:
    """A stage that went well, in ``seconds``; ``skipped`` if there was nothing to do.

    ``detail`` is for a report, ``warning`` for whoever waits for it.
    """

    stage: Stage
    seconds: float
    detail: str
    skipped: bool = False
    warning: str = ""


def _ignore(_: PassedStage) -> None:
    """Keep nothing of a stage that went well."""


class AccountSession(ABC):
    """One connection to the server of an account, and what is done over it.

    ``stage`` is the stage that it has come to and ``began`` when that began, by the monotonic clock.
    ``warning`` is what has to be said of the stage although it goes well; "" for nothing.
    ``cancelled`` ends every wait with Cancelled. Without ``deadline``, the options' ``timeout`` begins to
    count when the secrets are resolved.
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
        """What each stage does. It returns a detail, in which a server's words are fit to be shown."""
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

        The first that fails ends it: its exception is raised as it is, and :meth:`explain` says what it
        means. Nothing is tried twice. The caller closes the session.
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
        """Say what an exception means that was raised at the stage that the session has come to."""
        from reconciler.connection.diagnosis import classify  # noqa: PLC0415 - who opens many has it loaded

        return classify(error, self.context)

    @property
    def context(self) -> FailureContext:
        """What a failure at the stage that the session has come to is about."""
        account, options = self.account, self._options
        return FailureContext(
            account,
            self.stage,
            self._secrets.redactor,
            options.show_server_text,
            options.bypassed_proxy(account.host, account.port),
        )

    def show(self, text: str) -> str:
        """Make a server's text fit to be shown."""
        return self._secrets.redactor.show(text)

    def show_all(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Make texts of a server fit to be shown together."""
        return self._secrets.redactor.show_all(texts)

    @property
    def deadline(self) -> Deadline:
        """When everything after the secrets must be done; it begins to count when it is first asked for."""
        if self._deadline is None:
            seconds = self.account.connector.timeout_seconds or self._options.timeout
            self._deadline = Deadline(seconds, self._cancelled)
        return self._deadline

    @property
    def endpoints(self) -> tuple[ResolvedAddress, ...]:
        """The addresses of the host once they were looked up, and the one that is used once it is known."""
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
        """Resolve every secret that the account takes."""
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
        self.ask_capabilities()
        self._offer = self.offer()
        return f"signs in with {', '.join(fit(self._offer.mechanisms, self.show_all)) or 'nothing'}"

    @property
    def observed(self) -> Observed | None:
        """What the server has shown of itself so far; None for nothing."""
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
        """Ask what the server can do, if it has not said so yet."""

    @abstractmethod
    def offer(self) -> Offer:
        """What it has said that it can do."""

    @abstractmethod
    def sign_in(self, credential: Credential) -> str:
        """Sign in once and return the mechanism."""

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

    def abandon(self) -> None:
        """Let go of the connection without a word: another process speaks over it."""
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
