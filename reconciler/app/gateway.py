"""Runs the submission gateway: what is applied, the sessions and the log, given to the protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.app.dispatch import Dispatch, SendingTerms
from reconciler.errors import NotAuthorised, UsageError
from reconciler.sending.message import RawMessage
from reconciler.sending.prepare import SendRequest
from reconciler.sending.raw import asked_of
from reconciler.values import replace
from reconciler.wording import install_extra

if TYPE_CHECKING:
    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.gateway.event_log import EventLog
    from reconciler.gateway.handover import ReceivedMail
    from reconciler.gateway.settings import GatewaySettings
    from reconciler.model.application import Application
    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.base import Secret
    from reconciler.sending.outcome import AcceptedMail


class StoredHandover:
    """Implements :class:`reconciler.gateway.handover.Handover` with the stored state and the pool of sessions."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    def application(self, name: str) -> Application | None:
        """Find an application as it is applied now; raises StateError."""
        return self._dispatch.applied.application(name)

    def send(self, mail: ReceivedMail) -> AcceptedMail:
        """Hand a mail over; raises what :meth:`reconciler.app.mailer.Mailer.send` raises.

        Mail that is unreadable, or that the application's ``senders`` forbid, is logged as
        refused.
        """
        request = _request(mail)
        try:
            sender = _sender_of(mail)
            request = replace(request, sender=sender)
            _check(mail.application, sender)
            return self._dispatch.accept(request, client=mail.application.name)
        except (_NotAllowed, UsageError) as error:
            self._dispatch.refuse(request, error)
            raise

    def refuse(self, mail: ReceivedMail, reason: str) -> None:
        """Log a mail that the gateway itself refuses."""
        self._dispatch.refuse(_request(mail), UsageError(reason))

    def look(self) -> str:
        """Check for a newer revision; returns why the state is unavailable. Raises StateError."""
        self._dispatch.applied.look()
        problem = self._dispatch.applied.problem
        return problem.message if problem is not None else ""

    @property
    def age(self) -> float:
        """Seconds since the state was last reached."""
        return self._dispatch.applied.age

    @property
    def serial(self) -> int:
        """The revision that is in force."""
        return self._dispatch.applied.serial


class _NotAllowed(NotAuthorised):
    """The application's own ``senders`` forbid the mail."""


def _request(mail: ReceivedMail) -> SendRequest:
    return SendRequest(
        message=RawMessage(mail.content, mail.recipients),
        actor=mail.application.user,
        sender=mail.mail_from,
        application=mail.application.name,
        all_or_none=True,
    )


def _sender_of(mail: ReceivedMail) -> str:
    """The address of From, else of the envelope; raises UsageError if this is not a mail."""
    return asked_of(RawMessage(mail.content))[0] or mail.mail_from


def _check(application: Application, sender: str) -> None:
    if not application.may_send_as(sender):
        raise _NotAllowed(f"{application.name} may not send as {sender}")


def run_gateway(
    workspace: Workspace,
    actor: Actor,
    settings: GatewaySettings,
    log: EventLog,
    *,
    state_grace: float,
) -> None:
    """Serve until a signal arrives; raises UsageError and StateError if it cannot start."""
    try:
        from reconciler.gateway.server import Gateway  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        raise UsageError(
            f"the gateway needs {package}, which is not installed", hint=install_extra("gateway")
        ) from None

    def fetch(reference: SecretRef) -> Secret:
        return workspace.resolver().resolve(reference)

    dispatch = Dispatch(workspace, actor, SendingTerms(state_grace=state_grace))
    try:
        asyncio.run(Gateway(settings, StoredHandover(dispatch), fetch, log).run())
    finally:
        dispatch.close(0.0)
