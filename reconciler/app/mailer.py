"""Sending mail through applied connectors: the API for applications, also used by ``send``."""

from __future__ import annotations

import os
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from reconciler.app.actor import Actor
from reconciler.app.actor import actor as find_actor
from reconciler.app.audit import fresh_id
from reconciler.app.project_folder import find_project
from reconciler.app.send_log import StoredJournal, of_failure, of_handover, of_sent
from reconciler.app.workspace import Workspace, open_workspace
from reconciler.connection.access import Access
from reconciler.connection.options import ProbeOptions
from reconciler.errors import (
    ConfigurationInvalid,
    NotAuthorised,
    ReconcilerError,
    RouteRefused,
    SecretError,
    SendFailed,
    StateUnavailable,
)
from reconciler.mail.dial import ConnectTo
from reconciler.mail.oauth import AuthlibTokens
from reconciler.model.sending import FINAL
from reconciler.routing.index import RoutingIndex
from reconciler.sending.connector_session import ConnectorSession
from reconciler.sending.message import Message, RawMessage, Stamp
from reconciler.sending.outcome import (
    Copy,
    CopyStatus,
    HandoverJournal,
    Journal,
    SendingInterrupted,
    Sent,
)
from reconciler.sending.prepare import SendRequest, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from reconciler.model.connector import SaveSent
    from reconciler.model.sending import SendingRecord
    from reconciler.sending.message import Prepared

_FRESH = 1.0
"""Seconds after which it is looked up whether something was applied in the meantime."""

_TIMEOUT = 60.0
"""The default time limit of a connection and of each command, in seconds."""

_SECRETS_KEPT = 60.0
"""How long a secret is kept before it is fetched again, in seconds, in case it was rotated."""


class Mailer:
    """Sends mail through the stored connectors; connections are kept until it is closed.

    It may be used from several threads, which then take turns. A change that is applied while it is open
    counts within a second, so that the global SMTP policy reaches every application; a secret that is
    rotated where its reference points, within a minute.
    """

    def __init__(
        self,
        workspace: Workspace,
        actor: Actor,
        *,
        timeout: float | None = None,
        journal: Journal | None = None,
    ) -> None:
        resolver = workspace.resolver(keep=_SECRETS_KEPT)
        connect_to = ConnectTo.parse(workspace.connect_to)
        self._actor = actor
        self._store = workspace.store()
        self._journal = journal or StoredJournal(self._store)
        options = ProbeOptions(
            timeout=_TIMEOUT if timeout is None else timeout,
            handover_seconds=timeout,
            connect_to=connect_to,
            ca_file=workspace.ca_file,
            base=str(workspace.home),
            allowed_hosts=workspace.settings.allowed_hosts,
        )
        tokens = AuthlibTokens(
            resolver,
            connect_to=connect_to,
            ca_file=workspace.ca_file,
            winners=options.winners,
        )
        self._access = Access(resolver, tokens, options)
        self._turn = threading.RLock()
        self._lines: dict[str, ConnectorSession] = {}
        self._index: RoutingIndex | None = None
        self._serial = (-1, "")
        self._looked = 0.0

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
    ) -> Self:
        """Open a mailer as the command line does: from arguments, else ``RECONCILER_*`` variables.

        ``environment`` is one of those that ``reconciler.yaml`` declares. ``actor`` is who sends,
        and must be among the users of the connectors; by default it is who the CI system or the
        operating system says. ``policy`` is the file of the owner's rules. ``timeout`` is in
        seconds, for a connection, for each command, and for handing over a mail, the answer
        included; without one, that is a minute, and for a mail what RFC 5321 gives it. ``journal``
        is told of every attempt; by default that is the audit in the state, which ``log`` shows.
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
        return cls(workspace, who, timeout=timeout, journal=journal)

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
        with self._turn:
            return prepare(request, self._current(), _stamp())

    def send(
        self,
        message: Message | RawMessage,
        *,
        sender: str | None = None,
        connector: str | None = None,
        reply_to: str | None = None,
        save_sent: SaveSent | None = None,
        actor: str | None = None,
    ) -> Sent:
        """Send a mail now, and file its copy. ``actor`` stands in for the mailer's own, for this mail.

        Some recipients may have been refused: they are in the result. Raises SendFailed if all were or the
        mail was not taken, with ``temporary`` telling whether to try again; DeliveryUncertain, a SendFailed
        that must not be repeated blindly; and what ``prepare`` raises; SecretError.
        """
        request = self._request(
            message,
            sender=sender,
            connector=connector,
            reply_to=reply_to,
            save_sent=save_sent,
            actor=actor,
        )
        with self._turn:
            attempt = _Attempt(request, self._actor, self._journal)
            try:
                index = self._current()
                attempt.mail = prepare(request, index, _stamp())
                return self._send(attempt.mail, attempt, index)
            except SendingInterrupted:
                raise
            except (NotAuthorised, RouteRefused, SecretError, SendFailed) as error:
                attempt.failed(error)
                raise
            except KeyboardInterrupt as error:
                known = SendingInterrupted() if attempt.handed_over else error
                attempt.failed(known)
                raise known from None

    def close(self) -> None:
        """End all connections."""
        with self._turn:
            for line in self._lines.values():
                line.close()
            self._lines.clear()
            self._store.close()

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

    def _current(self) -> RoutingIndex:
        now = time.monotonic()
        if self._index is None or now - self._looked >= _FRESH:
            if self._index is None:
                self._store.migrate()  # an upgrade of the tool does not stop the mail
            newest = self._store.revisions(limit=1)
            if not newest:  # a volume that is not mounted, more often than a first day
                raise StateUnavailable(
                    "the state is empty, so nothing can be sent through it",
                    hint="Check --state, or run the first `reconciler apply`.",
                )
            serial = (newest[0].serial, newest[0].plan_digest)
            if self._index is None or serial != self._serial:
                self._index = RoutingIndex(self._store.load().snapshot)
                self._serial = serial
            self._looked = now
        return self._index

    def _send(self, mail: Prepared, attempt: _Attempt, index: RoutingIndex) -> Sent:
        line = self._line(mail.route.connector, index)
        attempt.host = line.host
        accepted, refused, reply = line.outgoing.send(mail, attempt.hand_over)
        interrupted = False
        try:
            copy = line.copy(mail, attempt.request.save_sent)
        except KeyboardInterrupt:
            copy, interrupted = Copy(CopyStatus.FAILED, sentence="interrupted by a signal"), True
        sent = Sent(
            route=mail.route,
            host=line.host,
            port=line.port,
            message_id=mail.message_id,
            accepted=accepted,
            refused=refused,
            size=len(mail.content),
            reply=reply,
            copy=copy,
            at=mail.at,
            warnings=mail.route.warnings,
        )
        sent = attempt.sent(sent)
        if interrupted:
            raise SendingInterrupted(sent)
        return sent

    def _line(self, name: str, index: RoutingIndex) -> ConnectorSession:
        connector = index.connector(name)
        if connector is None:
            raise RouteRefused(f"there is no connector {name}")
        line = self._lines.get(name)
        if line is None or line.connector != connector:
            if line is not None:
                line.close()
            line = self._lines[name] = ConnectorSession(connector, self._access)
        return line


class _Attempt:
    """One attempt to send, reported to the journal before the server gets the text and at the end."""

    def __init__(self, request: SendRequest, actor: Actor, journal: Journal) -> None:
        self.request = request
        self.mail: Prepared | None = None
        self.host = ""
        self.handed_over = False
        self._actor = actor
        self._journal = journal
        self._id = fresh_id()

    def hand_over(self) -> None:
        """Note that a server gets the text now: from here on, the mail may have been delivered."""
        first, self.handed_over = not self.handed_over, True
        if self.mail is None or not first or not isinstance(self._journal, HandoverJournal):
            return
        record = of_handover(self._id, self.request, self._actor, mail=self.mail, host=self.host)
        with suppress(
            ReconcilerError
        ):  # a journal that fails now is told of when it fails at the end
            self._journal.handing_over(record)

    def sent(self, sent: Sent) -> Sent:
        """Record how it went; a failure of the journal becomes a warning."""
        problem = self._record(of_sent(sent, self._final_id, self.request, self._actor))
        return replace(sent, warnings=(*sent.warnings, problem)) if problem else sent

    def failed(self, error: BaseException) -> None:
        """Record how it failed; a failure of the journal becomes a note on the error."""
        record = of_failure(
            error, self._final_id, self.request, self._actor, mail=self.mail, host=self.host
        )
        if problem := self._record(record):
            error.add_note(problem)

    @property
    def _final_id(self) -> str:
        noted = self.handed_over and isinstance(self._journal, HandoverJournal)
        return f"{self._id}{FINAL}" if noted else self._id

    def _record(self, record: SendingRecord) -> str:
        """Give a record to the journal; a failure of that is a sentence, and fails no mail."""
        try:
            self._journal.record(record)
        except ReconcilerError as error:
            return f"the outcome was not written to the log: {error.message}"
        return ""


def _stamp() -> Stamp:
    return Stamp(secrets.token_hex(16), datetime.now(UTC).replace(microsecond=0))
