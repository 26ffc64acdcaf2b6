"""The SMTP server of the sandbox: aiosmtpd as a submission server (RFC 6409)."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections import defaultdict
from contextlib import suppress
from email.parser import BytesHeaderParser
from email.policy import SMTP as SMTP_POLICY
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any, cast

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword, TLSSetupException

from reconciler.model.connector import ANY_LOCAL_PART, Security
from reconciler.model.domain import address_key
from reconciler.sandbox.accounts import Submitter, username_key
from reconciler.sandbox.tokens import REFUSAL, parse_response

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from aiosmtpd.smtp import Envelope, Session

    from reconciler.sandbox.accounts import Listener, Sender
    from reconciler.sandbox.delivery import PostOffice
    from reconciler.sandbox.journal import SandboxLog
    from reconciler.sandbox.tokens import Tokens

# aiosmtpd warns of harmless client behaviour, and of deprecations, on every login.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)

AUTH_LINE_LIMIT = 12288
"""The longest AUTH command in octets (RFC 4954 section 4): tokens are long."""

NOT_SIGNED_IN = "530 5.7.0 Authentication required"
MAY_NOT_SEND_AS = "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
"""In the words of Exchange Online, which clients have to understand in earnest."""


class SmtpService:
    """One host's SMTP server: makes the protocol of each connection."""

    def __init__(
        self,
        listener: Listener,
        *,
        submitters: Iterable[Submitter],
        office: PostOffice,
        tokens: Tokens,
        context: ssl.SSLContext,
        journal: SandboxLog,
    ) -> None:
        self._listener = listener
        self._context = context if listener.security is Security.STARTTLS else None
        self._handler = _Submission(submitters, office, tokens, journal)

    def protocol(self, lost: asyncio.Event) -> asyncio.StreamReaderProtocol:
        """Make the protocol of a new connection, which sets ``lost`` when the connection is over."""
        starttls = self._context is not None
        return _SmtpProtocol(
            self._handler,
            lost,
            hostname=self._listener.host,
            ident="reconciler sandbox",
            enable_SMTPUTF8=True,
            tls_context=self._context,
            require_starttls=starttls,
            auth_require_tls=starttls,
            authenticator=self._handler.authenticate,
            loop=asyncio.get_running_loop(),
        )


class _SmtpProtocol(SMTP):
    def __init__(self, handler: _Submission, lost: asyncio.Event, **settings: Any) -> None:
        # aiosmtpd keeps these limits on the class, so connections would change each other's.
        self.command_size_limits = defaultdict(lambda: AUTH_LINE_LIMIT)
        # Commands may be that long, but not the lines of a mail.
        self.line_length_limit = AUTH_LINE_LIMIT
        self._lost = lost
        super().__init__(handler, **settings)
        self.line_length_limit = SMTP.line_length_limit

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._lost.set()

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        with suppress(TLSSetupException):
            await super().smtp_STARTTLS(arg)
        # Neither aiosmtpd nor asyncio reports clients that leave during the handshake.
        if self._original_transport is not None and self._original_transport.is_closing():
            self.connection_lost(None)


class _Submission:
    """Answers the commands of SMTP; aiosmtpd finds the methods by their names."""

    def __init__(
        self,
        submitters: Iterable[Submitter],
        office: PostOffice,
        tokens: Tokens,
        journal: SandboxLog,
    ) -> None:
        self._users = {submitter.username: submitter for submitter in submitters}
        self._office = office
        self._tokens = tokens
        self._journal = journal

    def authenticate(
        self,
        _server: SMTP,
        _session: Session,
        _envelope: Envelope,
        _mechanism: str,
        claim: LoginPassword,
    ) -> AuthResult:
        """Check a name and a password, from PLAIN or LOGIN."""
        user = self._user(claim.login.decode("utf-8", "surrogateescape"))
        if user is None or not user.credentials.accept_password(claim.password):
            return AuthResult(success=False, handled=False)
        return AuthResult(success=True, auth_data=user)

    async def auth_XOAUTH2(self, server: SMTP, arguments: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        """Check a token; the reason for a refusal is sent before the 535."""
        response: bytes
        if len(arguments) == 1:
            answer = await server.challenge_auth("")
            if not isinstance(answer, bytes):
                return AuthResult(success=False)
            response = answer
        else:
            try:
                response = b64decode(arguments[1].encode(), validate=True)
            except ValueError:
                return AuthResult(success=False, handled=False, message="501 5.5.2 Not base64")
        claim = parse_response(response)
        if claim is not None:
            user = self._user(claim[0])
            if user is not None and self._tokens.open(user.account, claim[1]):
                return AuthResult(success=True, auth_data=user)
        if await server.challenge_auth(REFUSAL) is MISSING:
            return AuthResult(success=False)
        return AuthResult(success=False, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Accept the sender of a mail, which must be one of the user's own addresses."""
        user = self._sending(session)
        if user is None:
            return NOT_SIGNED_IN
        if _sender(user, address) is None:
            return MAY_NOT_SEND_AS
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Accept any recipient: nothing leaves the sandbox, but any address may be used."""
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Deliver a mail whose From is also one of the user's own addresses."""
        content, user = envelope.content, self._sending(session)
        if user is None:
            return NOT_SIGNED_IN
        sender = _sender(user, envelope.mail_from or "")
        if not isinstance(content, bytes) or sender is None:
            return MAY_NOT_SEND_AS
        if any(_sender(user, address) is None for address in _authors(content)):
            return MAY_NOT_SEND_AS
        await self._office.deliver(
            content, sender=envelope.mail_from or "", recipients=envelope.rcpt_tos
        )
        if sender.copies_to is not None:
            await self._office.file_copy(content, sender.copies_to)
        return "250 2.6.0 Delivered in the sandbox"

    async def handle_exception(self, error: Exception) -> str:
        """Answer when the sandbox itself has failed."""
        if not isinstance(error, OSError):  # caused by clients that disconnect
            self._journal.note_fault("SMTP", error)
        return "451 4.3.0 The sandbox has failed"

    def _user(self, username: str) -> Submitter | None:
        return self._users.get(username_key(username)) if username else None

    def _sending(self, session: Session) -> Submitter | None:
        """The signed-in user; else those who need no sign-in at this server, if any."""
        if not session.authenticated:
            return self._users.get("")
        # set by authenticate; aiosmtpd types it as None
        return cast("Submitter", session.auth_data)


def _sender(user: Submitter, address: str) -> Sender | None:
    key = address_key(address)
    of_domain = f"{ANY_LOCAL_PART}@{key.rpartition('@')[2]}"
    senders = {sender.address: sender for sender in user.senders}
    return senders.get(key) or senders.get(of_domain)


def _authors(content: bytes) -> tuple[str, ...]:
    """The addresses in From. A mail without one is accepted."""
    message = BytesHeaderParser(policy=SMTP_POLICY).parsebytes(content)
    values = [str(value) for value in message.get_all("From", [])]
    return tuple(address for _, address in getaddresses(values) if address)
