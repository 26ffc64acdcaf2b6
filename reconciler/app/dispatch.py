"""Sends the mail of one process: the applied state, sessions, sent copies and the journal."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.app.applied import AppliedState
from reconciler.app.send_attempt import SendAttempt
from reconciler.app.send_log import StoredJournal
from reconciler.connection.access import Access
from reconciler.connection.options import ProbeOptions
from reconciler.errors import (
    NotAuthorised,
    RouteRefused,
    SecretError,
    SendFailed,
    UsageError,
)
from reconciler.mail.dial import ConnectTo
from reconciler.mail.web_proxy import ProxySettings
from reconciler.sending.filing import Filing
from reconciler.sending.message import Stamp
from reconciler.sending.outcome import (
    AcceptedMail,
    Copy,
    CopyStatus,
    Journal,
    SendingInterrupted,
    Sent,
)
from reconciler.sending.pool import LONGEST_WAIT, SessionPool
from reconciler.sending.prepare import prepare, routing_needs
from reconciler.sending.sent_copy import SEARCH_SECONDS
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.model.connector import Connector
    from reconciler.routing.index import RoutingIndex
    from reconciler.sending.message import Prepared
    from reconciler.sending.outgoing import HandedOver
    from reconciler.sending.prepare import SendRequest

_TIMEOUT = 60.0
"""The default time limit of a connection and of each command, in seconds."""

_COPY_TIMEOUT = 15.0
"""Seconds for each step of filing a copy while the caller waits."""

_SECRETS_KEPT = 60.0
"""Seconds before a secret is fetched again, in case it was rotated."""


class SendingTerms(Struct, frozen=True, kw_only=True):
    """How mail is sent: time limits, how long a mail waits for its turn, and the journal.

    Times are in seconds. Without ``timeout``, a connection and each command get a minute, and
    handing over gets the limits of RFC 5321. ``state_grace`` is how long mail is sent while the
    state is unavailable. ``copies_in_background`` files sent copies in threads; ``copy_search``
    is how long to look for the server's own copy. ``one_mail`` says that the process sends a
    single mail.
    """

    timeout: float | None = None
    longest_wait: float = LONGEST_WAIT
    state_grace: float = 0.0
    copies_in_background: bool = True
    copy_search: float = SEARCH_SECONDS
    journal: Journal | None = None
    one_mail: bool = False


class Patience(Struct, frozen=True):
    """Which client waits for the mail's turn, how long at most, and what ends the wait early."""

    client: str = ""
    until: float = 0.0
    cancelled: Event | None = None

    @property
    def left(self) -> float:
        """Seconds that are left, at least none."""
        return max(self.until - time.monotonic(), 0.0)


class _Superseded(Exception):
    """A newer revision was applied before the server got the text of a mail."""


class Dispatch:
    """Sends mail through the stored connectors, many at a time. Threads share it.

    ``handed_over`` is set before the first mail is handed to a server.
    """

    def __init__(
        self,
        workspace: Workspace,
        actor: Actor,
        terms: SendingTerms,
        handed_over: Event | None = None,
    ) -> None:
        if not terms.one_mail:
            _load_everything()
        resolver = workspace.resolver(keep=_SECRETS_KEPT)
        connect_to = ConnectTo.parse(workspace.connect_to)
        options = ProbeOptions(
            timeout=_TIMEOUT if terms.timeout is None else terms.timeout,
            handover_seconds=terms.timeout,
            connect_to=connect_to,
            ca_file=workspace.ca_file,
            base=str(workspace.home),
            allowed_hosts=workspace.settings.allowed_hosts,
            proxies=ProxySettings.of(workspace.environ),
        )
        access = filing = Access.with_tokens(resolver, options)
        self._actor = actor
        self._terms = terms
        self._handed_over = handed_over or Event()
        self._store = workspace.mail_state() if terms.one_mail else workspace.store()
        self._journal = terms.journal or StoredJournal(self._store)
        if not terms.copies_in_background:  # the caller waits for the copy of a mail that was sent
            impatient = replace(options, timeout=min(options.timeout, _COPY_TIMEOUT))
            filing = replace(access, options=impatient)
        self._filing = Filing(filing, terms.copy_search)
        self.applied = AppliedState(self._store, grace=terms.state_grace)
        self.pool = SessionPool(access, longest_wait=terms.longest_wait)

    def prepare(self, request: SendRequest) -> Prepared:
        """Prepare a mail without sending it."""
        return prepare(request, self._index(request), _stamp())

    def send(
        self,
        request: SendRequest,
        *,
        client: str = "",
        wait: float | None = None,
        cancelled: Event | None = None,
    ) -> Sent:
        """Send a mail now, file its copy and tell the journal.

        Raises what :meth:`Mailer.send` raises.
        """
        attempt = SendAttempt(request, self._actor, self._journal)
        with _journalled(attempt):
            return self._send(attempt, self._patience(client, wait, cancelled)).conclude(
                is_told=True
            )

    def accept(self, request: SendRequest, *, client: str) -> AcceptedMail:
        """Send a mail now, and finish the rest after the client got its answer.

        Raises like ``send``.
        """
        attempt = SendAttempt(request, self._actor, self._journal)
        with _journalled(attempt):
            return self._send(attempt, self._patience(client))

    def refuse(self, request: SendRequest, error: NotAuthorised | UsageError) -> None:
        """Record a mail that is refused before its route is known."""
        SendAttempt(request, self._actor, self._journal).failed(error)

    def close(self, wait: float) -> None:
        """Close all connections after pending mails and copies; wait at most ``wait`` seconds."""
        until = time.monotonic() + wait
        self.pool.close(wait)
        self._filing.close(max(until - time.monotonic(), 0.0))
        self._store.close()

    def abandon(self) -> None:
        """Drop the connections without closing them: they belong to the parent process."""
        self.pool.abandon()

    def _index(self, request: SendRequest) -> RoutingIndex:
        return self.applied.index(lambda: routing_needs(request))

    def _patience(
        self, client: str, wait: float | None = None, cancelled: Event | None = None
    ) -> Patience:
        seconds = self._terms.longest_wait if wait is None else wait
        return Patience(client, time.monotonic() + seconds, cancelled)

    def _send(self, attempt: SendAttempt, patience: Patience) -> AcceptedMail:
        request, stamp = attempt.request, _stamp()
        while True:
            index = self._index(request)
            attempt.mail = mail = prepare(request, index, stamp)
            connector = index.connector(mail.route.connector)
            if connector is None:
                raise RouteRefused(f"there is no connector {mail.route.connector}")
            handed_over = self._hand_over(mail, connector, index, attempt, patience)
            if handed_over is not None:
                return self._accepted(mail, connector, handed_over, attempt)

    def _hand_over(
        self,
        mail: Prepared,
        connector: Connector,
        index: RoutingIndex,
        attempt: SendAttempt,
        patience: Patience,
    ) -> HandedOver | None:
        """Hand a mail to the server of its connector.

        None if another revision was applied meanwhile. Waiting for a turn and a connection
        takes time, and no mail may go out under an old policy.
        """
        with self.pool.session(
            connector, client=patience.client, wait=patience.left, cancelled=patience.cancelled
        ) as outgoing:
            attempt.host = outgoing.host
            self._filing.get_ready(mail, connector, attempt.request.save_sent)
            outgoing.connect(patience.cancelled)
            if not self.applied.is_current(index):
                return None

            def before_text() -> None:
                # The server may have been slow to accept the recipients, or the state to record
                # the attempt.
                self._handed_over.set()
                attempt.hand_over()
                if not self.applied.is_current(index):
                    raise _Superseded

            try:
                return outgoing.send(
                    mail,
                    before_text,
                    patience.cancelled,
                    all_or_none=attempt.request.all_or_none,
                )
            except _Superseded:
                return None

    def _accepted(
        self, mail: Prepared, connector: Connector, over: HandedOver, attempt: SendAttempt
    ) -> AcceptedMail:
        sent = Sent(
            route=mail.route,
            host=over.host,
            port=over.port,
            message_id=mail.message_id,
            accepted=over.accepted,
            refused=over.refused,
            size=len(mail.content),
            reply=over.reply,
            copy=Copy(CopyStatus.FAILED, sentence="interrupted by a signal"),
            at=mail.at,
            warnings=mail.route.warnings,
        )
        return AcceptedMail(sent, partial(self._conclude, mail, connector, sent, attempt))

    def _conclude(
        self,
        mail: Prepared,
        connector: Connector,
        sent: Sent,
        attempt: SendAttempt,
        *,
        is_told: bool,
    ) -> Sent:
        attempt.is_told = is_told
        interrupted = False
        try:
            sent = replace(sent, copy=self._copy(mail, connector, sent, attempt))
        except KeyboardInterrupt:
            interrupted = True
        sent = attempt.sent(sent)
        if interrupted:
            raise SendingInterrupted(sent)
        return sent

    def _copy(self, mail: Prepared, connector: Connector, sent: Sent, attempt: SendAttempt) -> Copy:
        asked = attempt.request.save_sent
        if not self._terms.copies_in_background:
            return self._filing.file(mail, connector, asked)
        return self._filing.file_later(
            mail, connector, asked, lambda copy: attempt.copied(replace(sent, copy=copy))
        )


@contextmanager
def _journalled(attempt: SendAttempt) -> Iterator[None]:
    """Record in the journal how an attempt failed, if it did."""
    try:
        yield
    except SendingInterrupted:
        raise
    except (NotAuthorised, RouteRefused, SecretError, SendFailed) as error:
        attempt.failed(error)
        error.connector = attempt.mail.route.connector if attempt.mail else ""
        raise
    except KeyboardInterrupt as error:
        known = SendingInterrupted() if attempt.handed_over else error
        attempt.failed(known)
        raise known from None


def _load_everything() -> None:
    """Import lazily loaded modules now: while sending, file descriptors may run out."""
    import logging  # noqa: F401, PLC0415

    import reconciler.connection.diagnosis  # noqa: PLC0415
    import reconciler.connection.imap  # noqa: PLC0415
    import reconciler.sending.compose  # noqa: F401, PLC0415


def _stamp() -> Stamp:
    return Stamp(os.urandom(16).hex(), datetime.now(UTC).replace(microsecond=0))
