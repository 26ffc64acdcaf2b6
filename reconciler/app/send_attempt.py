"""One attempt to send, as reported to the journal."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from reconciler.app.audit import fresh_id
from reconciler.app.send_log import of_failure, of_handover, of_sent, untold
from reconciler.errors import ReconcilerError
from reconciler.model.sending import FINAL
from reconciler.sending.outcome import CopyJournal, CopyStatus, HandoverJournal
from reconciler.values import replace

if TYPE_CHECKING:
    from logging import Logger

    from reconciler.app.actor import Actor
    from reconciler.model.sending import SendingRecord
    from reconciler.sending.message import Prepared
    from reconciler.sending.outcome import Journal, Sent
    from reconciler.sending.prepare import SendRequest


def _log() -> Logger:
    import logging  # noqa: PLC0415 - only for filing copies in the background

    return logging.getLogger("reconciler.sending")


class SendAttempt:
    """One attempt to send, reported to the journal before the server gets the text and at the end.

    ``is_told`` says whether the client knows that the mail was accepted.
    """

    def __init__(self, request: SendRequest, actor: Actor, journal: Journal) -> None:
        self.request = request
        self.mail: Prepared | None = None
        self.host = ""
        self.handed_over = False
        self.is_told = True
        self._actor = actor
        self._journal = journal
        self._id = fresh_id()

    def hand_over(self) -> None:
        """Record that the server is about to get the text: the mail may be delivered now."""
        first, self.handed_over = not self.handed_over, True
        if self.mail is None or not first or not isinstance(self._journal, HandoverJournal):
            return
        record = of_handover(self._id, self.request, self._actor, mail=self.mail, host=self.host)
        with suppress(
            ReconcilerError
        ):  # a failing journal is reported when it fails again at the end
            self._journal.handing_over(record)

    def sent(self, sent: Sent) -> Sent:
        """Record how it went; a failure of the journal becomes a warning."""
        problem = self._record(self._of_sent(sent, self._final_id))
        return replace(sent, warnings=(*sent.warnings, problem)) if problem else sent

    def copied(self, sent: Sent) -> None:
        """Record what happened to a copy that was filed in the background.

        A failure to file it is logged too.
        """
        if sent.copy.status is CopyStatus.FAILED:
            _log().warning("no copy of %s was filed: %s", sent.message_id, sent.copy.sentence)
        if not isinstance(self._journal, CopyJournal):
            return
        record = self._of_sent(sent, f"{self._final_id}{FINAL}")
        try:
            self._journal.copied(record)
        except ReconcilerError as error:
            _log().warning("what happened to a copy was not written to the log: %s", error.message)

    def failed(self, error: BaseException) -> None:
        """Record how it failed; a failure of the journal becomes a note on the error."""
        record = of_failure(
            error, self._final_id, self.request, self._actor, mail=self.mail, host=self.host
        )
        if problem := self._record(record):
            error.add_note(problem)

    def _of_sent(self, sent: Sent, attempt: str) -> SendingRecord:
        record = of_sent(sent, attempt, self.request, self._actor)
        return record if self.is_told else untold(record)

    @property
    def _final_id(self) -> str:
        noted = self.handed_over and isinstance(self._journal, HandoverJournal)
        return f"{self._id}{FINAL}" if noted else self._id

    def _record(self, record: SendingRecord) -> str:
        """Pass a record to the journal; its failure becomes a sentence, and fails no mail."""
        try:
            self._journal.record(record)
        except ReconcilerError as error:
            return f"the outcome was not written to the log: {error.message}"
        return ""
