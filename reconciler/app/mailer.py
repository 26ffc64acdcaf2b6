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
"""Seconds for which closing waits for the mails that are under way."""


class Mailer:
    """Sends mail through the stored connectors; connections are kept until it is closed.

    Threads may share it, and send at the same time: as many mails of a connector as its account takes, and none waits
    for the server of another. After a fork, the child makes connections of its own. A change that is
    applied while it is open counts within a second, so that the global SMTP policy reaches every
    application; a secret that is rotated where its reference points, within a minute.
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

        ``environment`` is one of those that ``reconciler.yaml`` declares. ``actor`` is who sends,
        and must be among the users of the connectors; by default it is who the CI system or the
        operating system says. ``policy`` is the file of the owner's rules. ``timeout`` is in
        seconds, for a connection, for each command, and for handing over a mail, the answer
        included; without one, that is a minute, and for a mail what RFC 5321 gives it. ``journal``
        is told of every attempt, by the thread that makes it; by default that is the audit in the state,
        which ``log`` shows. ``longest_wait`` is for how many seconds a mail waits where an account sends as
        much as it may, and ``state_grace`` for how many seconds a state that is away does not stop the mail.
        Sent copies are filed in the background unless ``copies_in_background`` is false, and ``copy_search`` is
        for how many seconds the server's own copy is looked for before ours is filed.
        Raises ConfigurationInvalid if ``reconciler.yaml`` is not valid, and UsageError.
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

        ``sender`` is the From that is asked for; without it and without ``connector``, the policy's fallback
        carries the mail. Raises RouteRefused, NotAuthorised, UsageError, or StateError.
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
        """Send a mail now; its copy is filed in the background. ``actor`` stands in for the mailer's own, for this mail.

        Where the account of the connector sends as much as it may, the mail waits ``wait`` seconds at most;
        clients of different names take turns. ``cancelled`` calls off what was not handed over yet.

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
        """End all connections, after the mails and copies that are under way; waits ``wait`` seconds at most."""
        with self._making:
            self._closed = True
            dispatch, self._dispatch = self._dispatch, None
        if dispatch is not None:
            dispatch.close(wait)

    @property
    def has_handed_over(self) -> bool:
        """Whether any server was asked to take a mail, which may have been delivered."""
        return self._handed_over.is_set()

    @property
    def dispatch(self) -> Dispatch:
        """What sends the mail of this process; raises UsageError once the mailer is closed."""
        with self._making:
            if self._closed:
                raise UsageError("the mailer is closed", hint="Open another one.")
            if self._dispatch is None:
                self._dispatch = Dispatch(
                    self._workspace, self._actor, self._terms, self._handed_over
                )
            return self._dispatch

    def begin_anew(self) -> None:
        """Leave everything that is open to the process that this one was forked from."""
        self._making = threading.Lock()  # another thread may have held the old one
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
"""What a child has of its parent is never finalised: a database would take that for the end of the parent's session."""


def _in_child() -> None:
    for mailer in tuple(_MAILERS):
        mailer.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
