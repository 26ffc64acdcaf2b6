"""What the gateway needs of the rest: who may sign in, and where a mail goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from reconciler.model.application import Application
    from reconciler.sending.outcome import Sent


class Handover(Protocol):
    """Follows what is applied, and hands mails over. Every method may block, and is called from threads."""

    def application(self, name: str) -> Application | None:
        """Find an application as it is applied now; raises StateError."""
        ...

    def sender_of(self, content: bytes, mail_from: str) -> str:
        """Return the address that chooses the connector: that of From, else of the envelope; raises UsageError."""
        ...

    def send(
        self, application: Application, content: bytes, sender: str, recipients: tuple[str, ...]
    ) -> Sent:
        """Hand a mail over and return when the provider has it; raises what ``Mailer.send`` raises."""
        ...

    def look(self) -> str:
        """See whether something was applied; returns why the state is away, empty if it is not. Raises StateError."""
        ...

    @property
    def age(self) -> float:
        """Seconds since the state was last reached."""
        ...

    @property
    def serial(self) -> int:
        """The revision that is in force; -1 before the first."""
        ...
