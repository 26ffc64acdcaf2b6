"""Where the sandbox's mail is stored: in mailbox folders, or outside, for unknown addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from reconciler.sandbox.delivery import Store
    from reconciler.sandbox.journal import SandboxLog


class Shelf(Protocol):
    """Mails by their numbers, which count from 1 and stay the same."""

    async def numbers(self) -> list[int] | None:
        """Return the numbers of the mails, in their order; None if there is no such folder."""
        ...

    async def content(self, number: int) -> bytes | None:
        """Return a mail as it arrived, with its envelope on top; None if there is no such mail."""
        ...


class FolderShelf(Struct, frozen=True):
    """A folder of a mailbox. Reading does not mark a mail as read."""

    store: Store
    folder: str

    async def numbers(self) -> list[int] | None:
        """Return the UIDs of the mails."""
        return await self.store.uids(self.folder)

    async def content(self, number: int) -> bytes | None:
        """Return the mail with this UID."""
        return await self.store.content(self.folder, number)


class StrayShelf(Struct, frozen=True):
    """The mails for addresses that no account has, one for each recipient."""

    journal: SandboxLog

    async def numbers(self) -> list[int] | None:
        """Count the strays."""
        return list(range(1, len(self.journal.strays) + 1))

    async def content(self, number: int) -> bytes | None:
        """Return a stray with its envelope in front, as a mailbox would have it."""
        strays = self.journal.strays
        if not 1 <= number <= len(strays):
            return None
        stray = strays[number - 1]
        trace = f"Return-Path: <{stray.sender}>\r\nDelivered-To: {stray.recipient}\r\n"
        return trace.encode("utf-8", "surrogateescape") + stray.content
