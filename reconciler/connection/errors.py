"""Problems that a test finds although the protocol reports no error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.mail.faults import MailFault

if TYPE_CHECKING:
    from reconciler.model.connector import Security


class HostNotAllowed(MailFault):
    """The settings do not allow connections to ``host``."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is not allowed")
        self.host = host


class AlreadyRejected(MailFault):
    """``host`` has rejected the password in the same run, so it was not sent again."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} has already rejected the password")
        self.host = host


class WrongMode(MailFault):
    """The server does not use the configured TLS mode; ``speaks`` is its actual mode."""

    def __init__(self, speaks: Security) -> None:
        super().__init__(f"the server speaks {speaks}")
        self.speaks = speaks


class NotDelivered(MailFault):
    """A test mail was accepted but did not arrive in the inbox."""


class FolderMissing(MailFault):
    """There is no folder for sent mail; ``desired`` is the configured one, or None.

    ``existing`` are the server's folders, as it names them.
    """

    def __init__(self, desired: str | None, existing: tuple[str, ...] = ()) -> None:
        super().__init__("there is no folder for sent mail")
        self.desired = desired
        self.existing = existing
