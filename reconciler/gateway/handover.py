"""The gateway's interface to the rest: who may sign in, and where a mail goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from reconciler.model.application import Application
    from reconciler.sending.outcome import AcceptedMail


class ReceivedMail(Struct, frozen=True):
    """A mail as an application submitted it; From selects the connector, else ``mail_from``."""

    application: Application
    content: bytes
    mail_from: str
    recipients: tuple[str, ...]


class Handover(Protocol):
    """Follows the applied state, and sends mails. Every method may block, and is called from threads."""

    def application(self, name: str) -> Application | None:
        """Find an application as it is applied now; raises StateError."""
        ...

    def send(self, mail: ReceivedMail) -> AcceptedMail:
        """Hand a mail over and return when the provider has it; raises what ``Mailer.send`` raises.

        It is concluded once the client has its answer, or has left.
        """
        ...

    def refuse(self, mail: ReceivedMail, reason: str) -> None:
        """Log a mail that is refused before it is routed."""
        ...

    def look(self) -> str:
        """Check for a newer revision; returns why the state is unavailable, empty if it is not.

        Raises StateError.
        """
        ...

    @property
    def age(self) -> float:
        """Seconds since the state was last reached."""
        ...

    @property
    def serial(self) -> int:
        """The revision that is in force; -1 before the first."""
        ...
