"""Mailboxes, and the delivery of mail. Everything here runs on the servers' event loop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxSet
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement
from pymap.parsing.specials.flag import Seen

from reconciler.model.connector import ANY_LOCAL_PART
from reconciler.model.domain import address_key
from reconciler.sandbox.journal import Stray

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymap.parsing.specials.flag import Flag

    from reconciler.sandbox.accounts import Mailbox
    from reconciler.sandbox.journal import SandboxLog


class Store:
    """The folders of one account, in memory."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.folders = MailboxSet()
        self.filters = FilterSet()

    async def create_folders(self) -> None:
        """Create the folders that exist from the start, and subscribe to them."""
        for name in self.mailbox.folders:
            await self.folders.add_mailbox(name)
            await self.folders.set_subscribed(name, subscribed=True)

    async def file(self, content: bytes, folder: str, *flags: Flag) -> None:
        """Put a mail into a folder, which is recreated if it was deleted."""
        try:
            target = await self.folders.get_mailbox(folder)
        except KeyError:
            await self.folders.add_mailbox(folder)
            target = await self.folders.get_mailbox(folder)
        await target.append(AppendMessage(content, datetime.now(UTC), frozenset(flags)))

    async def folder_names(self) -> list[str]:
        """Return the names of the folders that exist, INBOX first."""
        return [
            entry.name for entry in (await self.folders.list_mailboxes()).list() if entry.exists
        ]

    async def uids(self, folder: str) -> list[int] | None:
        """Return the UIDs of the mails in a folder, in their order; None if there is no such folder."""
        try:
            mailbox = await self.folders.get_mailbox(folder)
        except KeyError:
            return None
        return [message.uid async for message in mailbox.messages()]

    async def content(self, folder: str, uid: int) -> bytes | None:
        """Return a mail as it arrived, without marking it as read; None if there is no such mail."""
        try:
            mailbox = await self.folders.get_mailbox(folder)
        except KeyError:
            return None
        async for message in mailbox.messages():
            if message.uid == uid:
                return bytes((await message.load_content(FetchRequirement.CONTENT)).content)
        return None


class PostOffice:
    """Delivers submitted mail to the accounts of its recipients."""

    def __init__(self, stores: Iterable[Store], journal: SandboxLog) -> None:
        self._stores = {store.mailbox.name: store for store in stores}
        self._journal = journal

    async def deliver(self, content: bytes, *, sender: str, recipients: Iterable[str]) -> None:
        """Deliver to every mailbox that has one of the addresses, and keep the rest as strays.

        Delivered mail records the sender and recipient of its envelope, as mail servers do (RFC 5321
        section 4.4 for Return-Path; Delivered-To by custom).
        """
        for recipient in {address_key(item): item for item in recipients}.values():
            key = address_key(recipient)
            whole = f"{ANY_LOCAL_PART}@{key.rpartition('@')[2]}"
            found = self._having(key) or self._having(whole)
            trace = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n"
            for store in found:
                await store.file(trace.encode("utf-8", "surrogateescape") + content, "INBOX")
                self._journal.count_delivery()
            if not found:
                self._journal.keep_stray(Stray(sender, recipient, content))

    def _having(self, key: str) -> list[Store]:
        return [store for store in self._stores.values() if key in store.mailbox.addresses]

    async def file_copy(self, content: bytes, mailbox: str) -> None:
        """File sent mail in the account's Sent folder, marked as read, as Gmail and Exchange do."""
        store = self._stores[mailbox]
        await store.file(content, store.mailbox.sent_folder, Seen)
