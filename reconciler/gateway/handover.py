"""What the gateway needs of the rest: who may sign in, and where a mail goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reconciler.model.application import Application

if TYPE_CHECKING:
    from reconciler.sending.outcome import AcceptedMail


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail as an application has handed it in; From chooses the connector, else ``mail_from``."""

    application: Application
    content: bytes
    mail_from: str
    recipients: tuple[str, ...]


class Handover(Protocol):
    """Follows what is applied, and hands mails over. Every method may block, and is called from threads."""

    def application(self, name: str) -> Application | None:
        """Find an application as it is applied now; raises StateError."""
        ...

    def send(self, mail: ReceivedMail) -> AcceptedMail:
        """Hand a mail over and return when the provider has it; raises what ``Mailer.send`` raises.

        It is concluded once the client was told, or has left.
        """
        ...

    def refuse(self, mail: ReceivedMail, reason: str) -> None:
        """Put a mail into the stored log that is refused before its route is looked for."""
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
