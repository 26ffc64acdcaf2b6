"""All servers of a run on one event loop: everything that is heavy to import comes in through here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_never

from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from reconciler.sandbox.accounts import HTTPS
from reconciler.sandbox.authorisation import AuthorisationServer
from reconciler.sandbox.browser import MailBrowser
from reconciler.sandbox.certificates import Authority
from reconciler.sandbox.delivery import PostOffice, Store
from reconciler.sandbox.https import HttpService
from reconciler.sandbox.imap import ImapService
from reconciler.sandbox.listening import Reception, bind
from reconciler.sandbox.smtp import SmtpService

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable
    from typing import Any

    from reconciler.sandbox.accounts import Listener, SandboxAccounts
    from reconciler.sandbox.journal import SandboxLog
    from reconciler.sandbox.listening import ConnectionHandler
    from reconciler.sandbox.tokens import Tokens


class Servers:
    """The servers for a set of accounts.

    They listen from the moment they are made, and answer as long as :meth:`run` runs. Raises
    SandboxError for a host that no certificate can be made for, and OSError if no port is free.
    """

    def __init__(
        self, accounts: SandboxAccounts, tokens: Tokens, journal: SandboxLog, *, web: bool = False
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._journal = journal
        self._authority = Authority()
        self._stores = {mailbox.name: Store(mailbox) for mailbox in accounts.mailboxes}
        self._office = PostOffice(self._stores.values(), journal)
        self._services = tuple(
            (self._service(listener), listener) for listener in accounts.listeners
        )
        self._sockets: list[socket.socket] = []
        self._web: tuple[socket.socket, MailBrowser] | None = None
        try:
            for _ in accounts.listeners:
                self._sockets.append(bind())
            if web:
                self._web = self._browser()
        except OSError:
            self.close()
            raise

    @property
    def certificate(self) -> bytes:
        """The certificate, in PEM, that clients have to trust."""
        return self._authority.certificate

    @property
    def web_address(self) -> str | None:
        """The address to open in a browser; None if the mailboxes are not shown there."""
        return None if self._web is None else self._web[1].address

    async def run(
        self, stop: asyncio.Event, ready: Callable[[tuple[tuple[str, int], ...]], object]
    ) -> None:
        """Serve until ``stop`` is set; ``ready`` gets the listeners' addresses once accounts exist."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._note)
        for store in self._stores.values():
            await store.create_folders()
        receptions = [
            Reception(listening, service, self._implicit_tls(listener))
            for listening, (service, listener) in zip(self._sockets, self._services, strict=True)
        ]
        if self._web is not None:
            receptions.append(Reception(*self._web, None))
        for reception in receptions:
            reception.open()
        ready(tuple(listening.getsockname()[:2] for listening in self._sockets))
        await stop.wait()
        await asyncio.gather(*(reception.close() for reception in receptions))

    def close(self) -> None:
        """Stop listening, once nothing runs any more."""
        for listening in self._sockets:
            listening.close()
        if self._web is not None:
            self._web[0].close()

    def _browser(self) -> tuple[socket.socket, MailBrowser]:
        listening = bind()
        port = listening.getsockname()[1]
        return listening, MailBrowser(port, self._stores.values(), self._journal)

    def _service(self, listener: Listener) -> ConnectionHandler:
        context = self._authority.context_for(listener.host)
        match listener.protocol:
            case Protocol.IMAP:
                readers = (item for item in self._accounts.readers if item.host == listener.host)
                return ImapService(
                    listener,
                    readers=readers,
                    stores=self._stores,
                    tokens=self._tokens,
                    context=context,
                    journal=self._journal,
                )
            case Protocol.SMTP:
                users = (item for item in self._accounts.submitters if item.host == listener.host)
                return SmtpService(
                    listener,
                    submitters=users,
                    office=self._office,
                    tokens=self._tokens,
                    context=context,
                    journal=self._journal,
                )
        if listener.protocol == HTTPS:
            known = (item for item in self._accounts.applications if item.host == listener.host)
            known = (item for item in known if item.port == listener.port)
            return HttpService(AuthorisationServer(known, self._tokens).answer, self._journal)
        assert_never(listener.protocol)

    def _implicit_tls(self, listener: Listener) -> ssl.SSLContext | None:
        if listener.security is Security.IMPLICIT:
            return self._authority.context_for(listener.host)
        return None

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None:
            self._journal.note_fault(str(context.get("message")))
        # Clients that disconnect cause OSError; early releases of Python 3.11 and 3.12 complain about
        # tasks that are cancelled at the end of the run.
        elif not isinstance(error, OSError | asyncio.CancelledError):
            self._journal.note_fault("event loop", error)
