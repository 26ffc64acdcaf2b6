"""The gateway in the sandbox: programs sign in as in production, and their mail stays local."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconciler.app.actor import actor as find_actor
from reconciler.app.dispatch import Dispatch, SendingTerms
from reconciler.app.gateway import StoredHandover
from reconciler.app.workspace import open_workspace
from reconciler.errors import StateError
from reconciler.gateway.event_log import EventLog
from reconciler.gateway.settings import GatewaySettings, ListenAddress, Protection
from reconciler.sandbox.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.app.project_folder import ProjectFolder
    from reconciler.app.workspace import Workspace
    from reconciler.gateway.handover import ReceivedMail
    from reconciler.model.application import Application
    from reconciler.model.secret_ref import SecretRef
    from reconciler.sandbox.session import Session
    from reconciler.secrets.base import Secret
    from reconciler.sending.outcome import AcceptedMail

GATEWAY: Final = "RECONCILER_SANDBOX_GATEWAY"
"""The variable with the address of the gateway, for a command in the sandbox."""

LOG: Final = "gateway.log"
_LOOPBACK: Final = "127.0.0.1"


@contextmanager
def sandbox_gateway(
    session: Session, project: ProjectFolder, environ: Mapping[str, str], port: int = 0
) -> Iterator[ListenAddress]:
    """Serve the applications of a running sandbox on loopback, without TLS, for as long as the block lasts.

    It follows what is applied in the sandbox, and writes its log into the sandbox's folder. Raises ReconcilerError if
    it cannot listen.
    """
    from reconciler.gateway.server import Gateway  # noqa: PLC0415 - heavy; the sandbox has imported most of it

    variables = {**environ, **session.environment}
    workspace = open_workspace(
        project,
        variables,
        state=session.environment["RECONCILER_STATE"],
        connect_to=tuple(session.environment["RECONCILER_CONNECT_TO"].split()),
        ca_file=session.environment["RECONCILER_CA_FILE"],
    )

    def fetch(reference: SecretRef) -> Secret:
        return workspace.resolver().resolve(reference)

    settings = GatewaySettings(
        listeners=((Protection.NONE, ListenAddress(_LOOPBACK, port)),),
        status=None,
        host_name="localhost",
        ending=5.0,
    )
    handover = _SandboxHandover(workspace)
    handle = os.open(session.folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as log:
        gateway = Gateway(settings, handover, fetch, EventLog(log, verbose=True))
        running = Run("gateway", gateway.serve)
        try:
            (listening,) = running.start()
            yield ListenAddress(_LOOPBACK, listening)
        finally:
            running.end()
            handover.close()


class _SandboxHandover:
    """Implements :class:`reconciler.gateway.handover.Handover`.

    The state is opened for the first program. Until then, or for longer, it may be empty.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._turn = threading.Lock()
        self._dispatch: Dispatch | None = None

    def application(self, name: str) -> Application | None:
        """Find an application as it is applied in the sandbox; raises StateError."""
        return self._stored().application(name)

    def send(self, mail: ReceivedMail) -> AcceptedMail:
        """Hand a mail over to the sandbox's servers."""
        return self._stored().send(mail)

    def refuse(self, mail: ReceivedMail, reason: str) -> None:
        """Log a mail in the sandbox's state."""
        self._stored().refuse(mail, reason)

    def look(self) -> str:
        """Check for a newer revision once the state is open; returns why that failed."""
        if self._dispatch is None:
            return ""
        try:
            return self._stored().look()
        except StateError as error:
            return error.message

    @property
    def age(self) -> float:
        """Seconds since the state was last reached."""
        return self._dispatch.applied.age if self._dispatch else 0.0

    @property
    def serial(self) -> int:
        """The revision that is in force; -1 before the first."""
        return self._dispatch.applied.serial if self._dispatch else -1

    def close(self) -> None:
        """End the sessions with the sandbox's servers."""
        if self._dispatch is not None:
            self._dispatch.close(0.0)

    def _stored(self) -> StoredHandover:
        with self._turn:
            if self._dispatch is None:
                who = find_actor(None, self._workspace.environ)
                self._dispatch = Dispatch(self._workspace, who, SendingTerms())
            return StoredHandover(self._dispatch)
