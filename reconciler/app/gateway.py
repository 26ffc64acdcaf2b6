"""Runs the submission gateway: what is applied, the sessions and the log, given to the protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.app.dispatch import Dispatch, SendingTerms
from reconciler.errors import NotAuthorised, UsageError
from reconciler.sending.message import RawMessage
from reconciler.sending.prepare import SendRequest
from reconciler.sending.raw import asked_of
from reconciler.wording import install_extra

if TYPE_CHECKING:
    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.gateway.event_log import EventLog
    from reconciler.gateway.settings import GatewaySettings
    from reconciler.model.application import Application
    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.base import Secret
    from reconciler.sending.outcome import Sent


class StoredHandover:
    """Implements :class:`reconciler.gateway.handover.Handover` with the stored state and the pool of sessions."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    def application(self, name: str) -> Application | None:
        """Find an application as it is applied now; raises StateError."""
        return self._dispatch.applied.application(name)

    def sender_of(self, content: bytes, mail_from: str) -> str:
        """The address of From, else that of the envelope; raises UsageError for what is not a mail."""
        return asked_of(RawMessage(content))[0] or mail_from

    def send(
        self, application: Application, content: bytes, sender: str, recipients: tuple[str, ...]
    ) -> Sent:
        """Hand a mail over; raises what :meth:`reconciler.app.mailer.Mailer.send` raises.

        A mail that the application's own ``senders`` do not allow is in the log as others that are refused are.
        """
        request = SendRequest(
            message=RawMessage(content, recipients),
            actor=application.user,
            sender=sender,
            application=application.name,
        )
        if not application.may_send_as(sender):
            refused = NotAuthorised(f"{application.name} may not send as {sender}")
            self._dispatch.refuse(request, refused)
            raise refused
        return self._dispatch.send(request, client=application.name)

    def look(self) -> str:
        """See whether something was applied; returns why the state is away. Raises StateError."""
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


def run_gateway(
    workspace: Workspace,
    actor: Actor,
    settings: GatewaySettings,
    log: EventLog,
    *,
    state_grace: float,
) -> None:
    """Serve until a signal comes; raises UsageError and StateError if it cannot begin."""
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
