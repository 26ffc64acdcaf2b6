"""Sending mail through applied connectors: the API for applications, also used by ``send``."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self
from weakref import WeakSet

from reconciler.app.actor import actor as find_actor
from reconciler.app.dispatch import Dispatch, SendingTerms
from reconciler.app.project_folder import find_project
from reconciler.app.workspace import Workspace, open_workspace
from reconciler.errors import ConfigurationInvalid, UsageError
from reconciler.sending.pool import LONGEST_WAIT
from reconciler.sending.prepare import SendRequest
from reconciler.sending.sent_copy import SEARCH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event
    from types import TracebackType

    from reconciler.app.actor import Actor
    from reconciler.model.connector import SaveSent
    from reconciler.sending.message import Message, Prepared, RawMessage
    from reconciler.sending.outcome import Journal, Sent

_CLOSING = 30.0
"""Seconds for which closing waits for pending mails."""


class Mailer:
    """Sends mail through the stored connectors; connections are kept until it is closed.

    Threads may share it and send concurrently: as many mails of a connector as its account
    allows, none waiting for another's server. After a fork, the child opens its own
    connections. While it is open, an apply takes effect within a second, so that the global
    SMTP policy reaches every application, and a rotated secret within a minute.
    """

    def __init__(
        self, workspace: Workspace, actor: Actor, terms: SendingTerms | None = None
    ) -> None:
        self._workspace = workspace
        self._actor = actor
        self._terms = terms or SendingTerms()
        self._making = threading.Lock()
        self._closed = False
        self._handed_over = threading.Event()
        self._dispatch: Dispatch | None = Dispatch(workspace, actor, self._terms, self._handed_over)
        _MAILERS.add(self)

    @classmethod
    def open(
        cls,
        *,
        actor: str | None = None,
        config: str | Path | None = None,
        state: str | None = None,
        environ: Mapping[str, str] | None = None,
        environment: str | None = None,
        connect_to: tuple[str, ...] | None = None,
        ca_file: str | None = None,
        policy: str | Path | None = None,
        timeout: float | None = None,
        journal: Journal | None = None,
        longest_wait: float = LONGEST_WAIT,
        state_grace: float = 0.0,
        copies_in_background: bool = True,
        copy_search: float = SEARCH_SECONDS,
    ) -> Self:
        """Open a mailer as the command line does: from arguments, else ``RECONCILER_*`` variables.

        ``environment`` is one that ``reconciler.yaml`` declares. ``actor`` is who sends, and
        must be among the users of the connectors; by default, the user that the CI system or
        the operating system reports. ``policy`` is the file of the owner's rules. ``timeout``
        is in seconds, for a connection, for each command, and for handing over a mail, the
        answer included; the default is a minute, and for a mail the limits of RFC 5321.
        ``journal`` receives every attempt, in the thread that makes it; by default, it is the
        audit in the state, which ``log`` shows. ``longest_wait`` is how many seconds a mail
        waits while its account is busy, and ``state_grace`` how many seconds mail is sent while
        the state is unavailable. Sent copies are filed in the background unless
        ``copies_in_background`` is false, and ``copy_search`` is how many seconds to look for
        the server's own copy before filing ours. Raises ConfigurationInvalid if
        ``reconciler.yaml`` is not valid, and UsageError.
        """
        variables = os.environ if environ is None else environ
        if connect_to is None:
            connect_to = tuple(variables.get("RECONCILER_CONNECT_TO", "").split())
        named = (
            (str(config),) if config else variables.get("RECONCILER_CONFIG", "").split(os.pathsep)
        )
        workspace = open_workspace(
            find_project(variables, tuple(Path(item) for item in named if item)),
            variables,
            state=state or variables.get("RECONCILER_STATE"),
            connect_to=connect_to,
            ca_file=ca_file or variables.get("RECONCILER_CA_FILE"),
            environment=environment,
            policy=None if policy is None else str(policy),
        )
        if any(problem.is_error for problem in workspace.settings_problems):
            raise ConfigurationInvalid(workspace.settings_problems)
        who = find_actor(actor or variables.get("RECONCILER_ACTOR"), variables)
        terms = SendingTerms(
            timeout=timeout,
            longest_wait=longest_wait,
            state_grace=state_grace,
            copies_in_background=copies_in_background,
            copy_search=copy_search,
            journal=journal,
        )
        return cls(workspace, who, terms)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(
        self,
        message: Message | RawMessage,
        *,
        sender: str | None = None,
        connector: str | None = None,
        reply_to: str | None = None,
        actor: str | None = None,
    ) -> Prepared:
        """Prepare a mail without sending it; no secret is resolved and no server is contacted.

        ``sender`` is the requested From; without it and without ``connector``, the policy's
        fallback carries the mail. Raises RouteRefused, NotAuthorised, UsageError, or
        StateError.
        """
        request = self._request(
            message, sender=sender, connector=connector, reply_to=reply_to, actor=actor
        )
        return self.dispatch.prepare(request)

    def send(
        self,
        message: Message | RawMessage,
        *,
        sender: str | None = None,
        connector: str | None = None,
        reply_to: str | None = None,
        save_sent: SaveSent | None = None,
        actor: str | None = None,
        client: str = "",
        wait: float | None = None,
        cancelled: Event | None = None,
    ) -> Sent:
        """Send a mail now; its copy is filed in the background.

        ``actor`` replaces the mailer's own for this mail. While the account of the connector is
        busy, the mail waits ``wait`` seconds at most; clients with different names take turns.
        ``cancelled`` stops a mail that was not handed over yet.

        Some recipients may have been refused: they are in the result. Raises SendFailed if all were or the
        mail was not taken, with ``temporary`` telling whether to try again; DeliveryUncertain, a SendFailed
        that must not be repeated blindly; AccountBusy, a temporary SendFailed, if its turn did not come; and what ``prepare`` raises; SecretError.
        """
        request = self._request(
            message,
            sender=sender,
            connector=connector,
            reply_to=reply_to,
            save_sent=save_sent,
            actor=actor,
        )
        return self.dispatch.send(request, client=client, wait=wait, cancelled=cancelled)

    def close(self, wait: float = _CLOSING) -> None:
        """Close all connections after pending mails and copies; wait at most ``wait`` seconds."""
        with self._making:
            self._closed = True
            dispatch, self._dispatch = self._dispatch, None
        if dispatch is not None:
            dispatch.close(wait)

    @property
    def has_handed_over(self) -> bool:
        """Whether any mail was handed to a server, and may have been delivered."""
        return self._handed_over.is_set()

    @property
    def dispatch(self) -> Dispatch:
        """The dispatcher of this process; raises UsageError once the mailer is closed."""
        with self._making:
            if self._closed:
                raise UsageError("the mailer is closed", hint="Open another one.")
            if self._dispatch is None:
                self._dispatch = Dispatch(
                    self._workspace, self._actor, self._terms, self._handed_over
                )
            return self._dispatch

    def begin_anew(self) -> None:
        """Leave everything that is open to the parent process."""
        self._making = threading.Lock()  # another thread may have held the old lock
        inherited, self._dispatch = self._dispatch, None
        if inherited is not None:
            _INHERITED.append(inherited)
            inherited.abandon()

    def _request(
        self,
        message: Message | RawMessage,
        *,
        sender: str | None,
        connector: str | None,
        reply_to: str | None,
        actor: str | None,
        save_sent: SaveSent | None = None,
    ) -> SendRequest:
        return SendRequest(
            message=message,
            actor=actor or self._actor.name,
            sender=sender,
            connector=connector,
            reply_to=reply_to,
            save_sent=save_sent,
        )


_MAILERS: WeakSet[Mailer] = WeakSet()

_INHERITED: list[Dispatch] = []
"""A child never finalises its parent's objects: a database would close the parent's session."""


def _in_child() -> None:
    for mailer in tuple(_MAILERS):
        mailer.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
