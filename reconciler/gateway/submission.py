"""Answers clients' commands: signing in, and sending with the permissions of an application."""

from __future__ import annotations

import asyncio
import re
import time
from base64 import b64decode
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from aiosmtpd.smtp import AuthResult
from msgspec import Struct

from reconciler.errors import ReconcilerError, SecretError, StateError
from reconciler.gateway.answers import FAULT, MailReply, of_failure, of_recipient, of_sent, one_line
from reconciler.gateway.handover import ReceivedMail
from reconciler.gateway.refusals import KnownRefusals, MailOrigin
from reconciler.gateway.room import Room
from reconciler.gateway.trace import is_in_a_loop, received_field
from reconciler.model.sending import SendingResult
from reconciler.sending.outcome import AcceptedMail, SomeRefused

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from aiosmtpd.smtp import Envelope, Session

    from reconciler.gateway.event_log import EventLog
    from reconciler.gateway.handover import Handover
    from reconciler.gateway.metrics import Metrics
    from reconciler.gateway.passwords import Passwords
    from reconciler.gateway.protocol import GatewayProtocol
    from reconciler.gateway.settings import GatewaySettings
    from reconciler.gateway.throttle import Throttle
    from reconciler.model.application import Application

_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_ADDRESS: Final = re.compile(r"[^\s\x00-\x1f\x7f@<>]{1,64}@[^\s\x00-\x1f\x7f@<>]{1,255}")

_REJECTED: Final = "535 5.7.8 The name or the password is wrong"
_LOCKED: Final = "454 4.7.0 Too many failed sign-ins; try again later"
_FULL: Final = "451 4.3.2 Too many mails are in progress; try again later"
_BARE_LINE: Final = MailReply(
    "550", "5.6.0", "The mail has a bare CR or LF; lines end in CR and LF", SendingResult.REFUSED
)
_LOOP: Final = MailReply(
    "554", "5.4.6", "The mail has gone through too many servers", SendingResult.REFUSED
)
_NOT_SIGNED_IN: Final = "530 5.7.0 Authentication required"


def _signed_in(session: Session | None) -> Application | None:
    """The signed-in application, set by ``_sign_in``; aiosmtpd types it as None."""
    return cast("Application | None", session.auth_data) if session is not None else None


class HandledMail(Struct, frozen=True):
    """A mail, the answer for its client, and the seconds that the connector took."""

    mail: ReceivedMail
    client: str
    reply: MailReply
    connector: str
    seconds: float
    accepted: AcceptedMail | None


class SubmissionHandler:
    """One handler for all connections; aiosmtpd finds its methods by name. Used on one event loop."""

    def __init__(
        self,
        settings: GatewaySettings,
        handover: Handover,
        passwords: Passwords,
        throttle: Throttle,
        *,
        sending: Executor,
        asking: Executor,
        metrics: Metrics,
        log: EventLog,
    ) -> None:
        self._settings = settings
        self._handover = handover
        self._passwords = passwords
        self._throttle = throttle
        self._sending = sending
        self._asking = asking
        self._metrics = metrics
        self._log = log
        self._refusals = KnownRefusals()
        self.room = Room(settings.at_once)
        self.is_ending = False

    # --- signing in ---

    async def auth_PLAIN(self, server: GatewayProtocol, arguments: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        """Read a name and a password (RFC 4616)."""
        if len(arguments) == 1:
            answer = await server.challenge_auth("")
            if not isinstance(answer, bytes):
                return AuthResult(success=False)
        else:
            try:
                answer = b64decode(arguments[1].encode("ascii", "replace"), validate=True)
            except ValueError:
                return AuthResult(success=False, handled=False, message="501 5.5.2 Not base64")
        parts = answer.split(b"\0")
        if len(parts) != 3:  # noqa: PLR2004 - identity, name, password
            return AuthResult(success=False, handled=False, message="501 5.5.2 Not PLAIN")
        identity, name, password = parts
        if identity not in (b"", name):
            return AuthResult(success=False, handled=False, message=_REJECTED)
        return await self._sign_in(server, name, password)

    async def auth_LOGIN(self, server: GatewayProtocol, arguments: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        """Ask for a name and a password, as Outlook and printers expect."""
        name: object
        if len(arguments) == 1:
            name = await server.challenge_auth("Username:")
        else:
            try:
                name = b64decode(arguments[1].encode("ascii", "replace"), validate=True)
            except ValueError:
                return AuthResult(success=False, handled=False, message="501 5.5.2 Not base64")
        if not isinstance(name, bytes):
            return AuthResult(success=False)
        password = await server.challenge_auth("Password:")
        if not isinstance(password, bytes):
            return AuthResult(success=False)
        return await self._sign_in(server, name, password)

    async def _sign_in(self, server: GatewayProtocol, name: bytes, password: bytes) -> AuthResult:
        account, peer = name.decode("utf-8", "replace"), server.peer
        if self._throttle.is_locked(peer, account):
            self._metrics.sign_in("locked")
            self._log.event("sign_in_locked", client=peer)
            return AuthResult(success=False, handled=False, message=_LOCKED)
        loop = asyncio.get_running_loop()
        try:
            found, reason = await loop.run_in_executor(
                self._asking, self._check, account, password, peer
            )
        except (StateError, SecretError) as error:
            self._metrics.sign_in("failed")
            self._log.event("sign_in_failed", client=peer, problem=error.message)
            text = "454 4.7.0 The gateway cannot check the password"
            return AuthResult(success=False, handled=False, message=text)
        if found is None:
            # The name is not logged: some people type their password there.
            delay = self._throttle.failed(peer, account)
            self._metrics.sign_in("rejected")
            self._log.event("sign_in_rejected", client=peer, problem=reason)
            await asyncio.sleep(delay)
            return AuthResult(success=False, handled=False, message=_REJECTED)
        self._throttle.succeeded(peer)
        self._metrics.sign_in("accepted")
        self._log.detail("signed_in", client=peer, application=found.name)
        return AuthResult(success=True, auth_data=found)

    def _check(self, account: str, password: bytes, peer: str) -> tuple[Application | None, str]:
        found = self._handover.application(account)
        if not self._passwords.matches(found.password if found else None, password):
            return None, "wrong password" if found else "unknown application"
        if found is not None and not found.admits(peer):
            return None, f"{found.name} may not connect from this address"
        return found, ""

    # --- a mail ---

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self,
        server: GatewayProtocol,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Accept a sender if the signed-in application is still applied."""
        signed_in = _signed_in(session)
        if signed_in is None:
            return _NOT_SIGNED_IN
        if self.is_ending:
            return "421 4.3.2 The gateway is ending"
        loop = asyncio.get_running_loop()
        try:
            now = await loop.run_in_executor(
                self._asking, self._handover.application, signed_in.name
            )
        except StateError:
            return "451 4.3.0 The gateway cannot read what is applied"
        if now is None or now.password != signed_in.password or not now.admits(server.peer):
            return "550 5.7.1 The application may no longer sign in"
        if not _ADDRESS.fullmatch(address):
            return "550 5.1.7 A mail has a sender, such as alerts@example.com"
        session.auth_data = now  # type: ignore[assignment]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: GatewayProtocol,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Accept a valid recipient, unless the provider has recently refused it."""
        if not _ADDRESS.fullmatch(address):
            return "553 5.1.3 The recipient is not an address"
        if len(envelope.rcpt_tos) >= self._settings.recipients:
            return f"452 4.5.3 A mail has {self._settings.recipients} recipients at most"
        application = _signed_in(session)
        if application is None:
            return _NOT_SIGNED_IN
        refused = self._refusals.of(self._origin(application, envelope.mail_from or ""), address)
        if refused is not None:
            reply = of_recipient(refused)
            self._log.event(
                "recipient_refused",
                application=application.name,
                client=server.peer,
                problem=reply,
            )
            return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    def _origin(self, application: Application, mail_from: str) -> MailOrigin:
        return MailOrigin(application.name, mail_from, self._handover.serial)

    def begin(self, server: GatewayProtocol) -> str:
        """Reserve room for a mail, or say why there is none."""
        application = _signed_in(server.session)
        if application is None:
            return _NOT_SIGNED_IN
        if not self.room.take(application.name):
            self._log.event("full", application=application.name, client=server.peer)
            self._metrics.mail("", application.name, SendingResult.TEMPORARY, _FULL[:3])
            return _FULL
        self._metrics.under_way = self.room.taken
        return ""

    async def conclude(self, server: GatewayProtocol, *, is_told: bool) -> None:
        """Log the mail of a connection, if any, and whether its client knows the result."""
        if server.handed_over is None:
            return
        server.concluded = self._sending.submit(
            self._conclude, server.handed_over.result(), is_told=is_told
        )
        # Shielded: a client that leaves now must not keep its mail out of the log.
        await asyncio.shield(asyncio.wrap_future(server.concluded))

    def end(self, server: GatewayProtocol) -> None:
        """Free the room of a mail, only after it is done if the client has left early."""
        application = _signed_in(server.session)
        if application is None:
            return
        handed_over, concluded = server.handed_over, server.concluded
        server.handed_over = server.concluded = None
        is_told = server.is_told  # judged by its last action
        loop = asyncio.get_running_loop()

        def free(_: object = None) -> None:
            loop.call_soon_threadsafe(self._free, application.name)

        def abandoned(handled: Future[HandledMail]) -> None:
            if handled.cancelled():  # it waited for a thread, and the client is gone
                free()
                return
            # Once the gateway has ended, its threads accept no work, and the log still says uncertain.
            with suppress(RuntimeError):
                last = self._sending.submit(self._conclude, handled.result(), is_told=is_told)
                last.add_done_callback(free)

        if concluded is not None:
            concluded.add_done_callback(free)
        elif handed_over is not None:
            handed_over.add_done_callback(abandoned)
        else:
            self._free(application.name)

    def _free(self, application: str) -> None:
        self.room.free(application)
        self._metrics.under_way = self.room.taken

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: GatewayProtocol, session: Session, envelope: Envelope
    ) -> str:
        """Hand a mail over, and pass on the provider's answer."""
        content, application = envelope.content, _signed_in(session)
        if not isinstance(content, bytes) or application is None:
            return _NOT_SIGNED_IN
        refusal = None
        if _BARE.search(content) or b"\0" in content:
            refusal = _BARE_LINE
        elif is_in_a_loop(content):
            refusal = _LOOP
        traced = self._trace(server, application) + content
        mail = ReceivedMail(application, traced, envelope.mail_from or "", tuple(envelope.rcpt_tos))
        handed_over: Future[HandledMail] = self._sending.submit(
            self._send, mail, server.peer, refusal
        )
        server.handed_over = handed_over
        server.pause_timer()
        try:
            return str((await asyncio.wrap_future(handed_over)).reply)
        finally:
            server.resume_timer()

    def _send(self, mail: ReceivedMail, client: str, refusal: MailReply | None) -> HandledMail:
        """Hand a mail over in its own thread, even if the client no longer waits."""
        began, accepted = time.monotonic(), None
        if refusal is not None:
            reply, connector = self._refused(mail, refusal), ""
        else:
            try:
                accepted = self._handover.send(mail)
            except Exception as error:  # noqa: BLE001 - a mail that fails here must not end the gateway
                reply = of_failure(error)
                if isinstance(error, SomeRefused):
                    origin = self._origin(mail.application, mail.mail_from)
                    self._refusals.learn(origin, mail.recipients, error.refused)
                connector = error.connector if isinstance(error, ReconcilerError) else ""
                if reply.text == FAULT:
                    self._log.event("fault", problem=type(error).__name__)
            else:
                reply, connector = of_sent(accepted.sent), accepted.sent.route.connector
        seconds = time.monotonic() - began
        return HandledMail(mail, client, reply, connector, seconds, accepted)

    def _conclude(self, handled: HandledMail, *, is_told: bool) -> None:
        """Log a mail once its client has its answer, or has left."""
        mail, reply = handled.mail, handled.reply
        result, problem = reply.result, "" if reply.result is SendingResult.SENT else reply.text
        if handled.accepted is not None:
            if not is_told:
                result, problem = SendingResult.UNCERTAIN, f"The client was not told: {reply.text}"
            try:
                handled.accepted.conclude(is_told=is_told)
            except Exception as error:  # noqa: BLE001 - the mail is out all the same
                self._log.event("fault", problem=type(error).__name__)
        application = mail.application.name
        self._metrics.mail(handled.connector, application, result, reply.code, handled.seconds)
        self._log.event(
            "mail",
            application=application,
            client=handled.client,
            connector=handled.connector,
            result=result,
            reply=f"{reply.code} {reply.status}",
            recipients=len(mail.recipients),
            size=len(mail.content),
            seconds=round(handled.seconds, 3),
            problem=problem,
        )

    def _refused(self, mail: ReceivedMail, refusal: MailReply) -> MailReply:
        try:
            self._handover.refuse(mail, refusal.text)
        except Exception as error:  # noqa: BLE001 - the refusal stands
            self._log.event("fault", problem=type(error).__name__)
        return refusal

    def _trace(self, server: GatewayProtocol, application: Application) -> bytes:
        return received_field(
            helo=(server.session.host_name if server.session else None) or "",
            peer=server.peer,
            application=application.name,
            host_name=self._settings.host_name,
            is_encrypted=server.is_encrypted,
        )

    async def handle_exception(self, error: Exception) -> str:
        """Answer when the gateway itself has failed; ignore clients that disconnect."""
        if not isinstance(error, OSError):
            self._log.event("fault", problem=one_line(type(error).__name__))
        return f"451 4.3.0 {FAULT}"
