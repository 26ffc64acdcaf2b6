"""The outcome of a mail, for its sender and for the journal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from msgspec import Struct

from reconciler.errors import SendFailed

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.sending import SendingRecord
    from reconciler.routing.request import Route


class CopyStatus(StrEnum):
    """The status of the copy in the Sent folder; ``pending`` while it is filed in the background."""

    NOT_WANTED = "not_wanted"
    FILED_BY_PROVIDER = "filed_by_provider"
    FOUND = "found"
    APPENDED = "appended"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Copy:
    """The sent copy. ``folder`` is its place, if known; ``sentence`` gives the reason."""

    status: CopyStatus
    folder: str = ""
    sentence: str = ""


class RefusedRecipient(Struct, frozen=True):
    """A recipient whom the server refused.

    ``code`` is its reply code (``550``), ``status`` the enhanced one (``5.1.1``, RFC 3463) if there was
    one, and ``text`` its text.
    """

    recipient: str
    code: str
    status: str
    text: str

    @property
    def temporary(self) -> bool:
        """Whether the server may take it later (4yz)."""
        return self.code.startswith("4")

    def __str__(self) -> str:
        """``ada@x.example: 550 5.1.1 no such user``."""
        return f"{self.recipient}: {self.code} {self.text}"


class SomeRefused(SendFailed):
    """A server refused some recipients of an all-or-none mail: nobody gets it for now.

    ``status`` is the enhanced code of the first refusal, as a temporary one: the mail may be sent
    without these recipients, or once a temporary refusal is over.
    """

    def __init__(self, host: str, refused: tuple[RefusedRecipient, ...]) -> None:
        first = refused[0]
        super().__init__(
            f"nothing was sent, because {host} refuses some of the recipients: "
            + "; ".join(map(str, refused)),
            temporary=True,
            code="451",
            status=f"4{first.status[1:]}" if first.status else "",
            hint="Send it again without them.",
        )
        self.refused = refused


class Sent(Struct, frozen=True, kw_only=True):
    """A mail that a server accepted for at least some recipients.

    ``size`` is in octets, ``reply`` the server's last reply, ``at`` in UTC. ``warnings`` are
    sentences about problems that did not stop the mail.
    """

    route: Route
    host: str
    port: int
    message_id: str
    accepted: tuple[str, ...]
    refused: tuple[RefusedRecipient, ...]
    size: int
    reply: str
    copy: Copy
    at: datetime
    warnings: tuple[str, ...] = ()


class Conclusion(Protocol):
    """The rest of the work once a server has accepted a mail: file its copy, and record the result."""

    def __call__(self, *, is_told: bool) -> Sent:
        """Do it, once.

        A client without an answer may send the mail again, so the journal keeps calling it uncertain.
        """
        ...


class AcceptedMail(Struct, frozen=True):
    """A mail that a server has just accepted, and that the journal calls uncertain until it is concluded."""

    sent: Sent
    conclude: Conclusion


class SendingInterrupted(KeyboardInterrupt):
    """A signal arrived after a mail was handed to the server.

    ``sent`` is its result; None if unknown: it may have been delivered.
    """

    def __init__(self, sent: Sent | None = None) -> None:
        super().__init__("the mail is sent" if sent else "the mail may have been delivered")
        self.sent = sent


class Journal(Protocol):
    """Records every attempt to send, refused ones too."""

    def record(self, record: SendingRecord) -> None:
        """Keep one; raises ReconcilerError if it cannot, which does not fail the mail."""
        ...


@runtime_checkable
class HandoverJournal(Journal, Protocol):
    """A journal that also records a mail before its text is sent, in case the process ends there."""

    def handing_over(self, record: SendingRecord) -> None:
        """Keep a record that calls the mail uncertain; one with its id and ``FINAL`` replaces it."""
        ...


@runtime_checkable
class CopyJournal(Journal, Protocol):
    """A journal that also records copies that are filed in the background."""

    def copied(self, record: SendingRecord) -> None:
        """Keep the record of a mail again, with the status of its copy and another ``FINAL`` in its id."""
        ...
