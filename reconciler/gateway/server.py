"""The gateway as it runs: its listeners, its connections, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ReconcilerError, StateError
from reconciler.gateway.certificate import ServedCertificate
from reconciler.gateway.handshake import CountedHandshake
from reconciler.gateway.metrics import Metrics
from reconciler.gateway.passwords import Passwords
from reconciler.gateway.protocol import GatewayProtocol
from reconciler.gateway.settings import Protection
from reconciler.gateway.status import StatusPages
from reconciler.gateway.submission import SubmissionHandler
from reconciler.gateway.throttle import Throttle
from reconciler.signals import call_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.gateway.event_log import EventLog
    from reconciler.gateway.handover import Handover
    from reconciler.gateway.settings import GatewaySettings, ListenAddress
    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.base import Secret

_LOOK: Final = 0.5
"""Seconds between checks of the state and the certificate: an apply takes effect within one."""
_SIGN_INS_AT_ONCE: Final = 4
"""The maximum number of concurrent password checks, each taking 8 MiB."""


class Gateway:
    """Serves until a signal arrives. ``fetch`` resolves a reference without caching."""

    def __init__(
        self,
        settings: GatewaySettings,
        handover: Handover,
        fetch: Callable[[SecretRef], Secret],
        log: EventLog,
    ) -> None:
        self._settings = settings
        self._handover = handover
        self._log = log
        self._metrics = Metrics()
        self._sending = ThreadPoolExecutor(settings.at_once, "sending")
        self._asking = ThreadPoolExecutor(_SIGN_INS_AT_ONCE, "asking")
        self._submission = SubmissionHandler(
            settings,
            handover,
            Passwords(fetch),
            Throttle(),
            sending=self._sending,
            asking=self._asking,
            metrics=self._metrics,
            log=log,
        )
        self._connections: dict[GatewayProtocol, str] = {}
        self._by_peer: Counter[str] = Counter()
        self._context: ssl.SSLContext | None = None
        self._certificate = ServedCertificate(settings.certificate, settings.key, fetch)
        self._certificate_problem = ""
        self._problem = ""
        self._empty = asyncio.Event()
        self._empty.set()

    async def run(self) -> None:
        """Serve until a signal arrives; raises what ``serve`` raises."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            if not loop.is_closed():  # a later signal changes nothing
                loop.call_soon_threadsafe(stop.set)

        # Not by the loop, which restores the default signal handlers when it ends.
        call_on_signals(end)
        await self.serve(stop)

    async def serve(
        self, stop: asyncio.Event, ready: Callable[[tuple[int, ...]], object] = tuple
    ) -> None:
        """Listen and serve until ``stop`` is set, and then answer pending mails.

        ``ready`` is called with the ports. Raises ReconcilerError for an unavailable port, UsageError
        for an unusable certificate, SecretError for one that cannot be fetched, and StateError.
        """
        if any(how is not Protection.NONE for how, _ in self._settings.listeners):
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._certificate.load(self._certificate.read() or b"", self._context)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._note)
        await loop.run_in_executor(self._asking, self._handover.look)
        servers: list[asyncio.Server] = []
        status: asyncio.Server | None = None
        try:
            for how, endpoint in self._settings.listeners:
                servers.append(await self._listen(how, endpoint))
            if self._settings.status is not None:
                status = await self._serve_status(self._settings.status)
        except BaseException:
            for server in servers:
                server.close()
            raise
        following = loop.create_task(self._follow())
        self._log.event("ready", serial=self._handover.serial)
        ready(tuple(item.getsockname()[1] for server in servers for item in server.sockets))
        try:
            await stop.wait()
        finally:
            following.cancel()
        await self._end(servers)
        if status is not None:  # it answers until the end
            status.close()

    async def _serve_status(self, endpoint: ListenAddress) -> asyncio.Server:
        pages = StatusPages(
            self._handover,
            self._metrics,
            lambda: self._problem,
            lambda: self._submission.is_ending,
        )
        server = await self._bound(
            endpoint, asyncio.start_server(pages.converse, endpoint.host, endpoint.port)
        )
        self._say_listening("status", server)
        return server

    async def _end(self, servers: list[asyncio.Server]) -> None:
        """Accept nothing new, and answer pending mails."""
        self._submission.is_ending = True
        busy = sum(item.is_busy for item in self._connections)
        self._log.event("ending", under_way=busy)
        for server in servers:
            server.close()
        for connection in tuple(self._connections):
            connection.dismiss()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.ending
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._empty.wait()
                await self._submission.room.wait_until_empty()
        for connection in tuple(self._connections):
            connection.abort()
        self._log.event("ended", cut_off=len(self._connections))
        self._sending.shutdown(wait=False, cancel_futures=True)
        self._asking.shutdown(wait=False, cancel_futures=True)

    async def _listen(self, how: Protection, endpoint: ListenAddress) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        server = await self._bound(
            endpoint,
            loop.create_server(
                lambda: self._protocol(how),
                endpoint.host or None,
                endpoint.port,
                backlog=512,
            ),
        )
        self._say_listening(how, server)
        return server

    async def _bound(self, endpoint: ListenAddress, opening: Any) -> asyncio.Server:
        try:
            server: asyncio.Server = await opening
        except OSError as error:
            raise ReconcilerError(
                f"the gateway cannot listen on {endpoint}: {error.strerror}",
                hint="Ports below 1024 need the capability CAP_NET_BIND_SERVICE; another program may listen there.",
            ) from None
        return server

    def _say_listening(self, how: str, server: asyncio.Server) -> None:
        for listening in server.sockets:
            host, port = listening.getsockname()[:2]
            self._log.event("listening", protection=how, host=host, port=port)

    def _protocol(self, how: Protection) -> asyncio.BaseProtocol:
        starttls = how is Protection.STARTTLS
        served = _Bounded(
            self._submission,
            self._gone,
            accept=self._admit,
            hostname=self._settings.host_name,
            ident="ESMTP reconciler",
            data_size_limit=self._settings.size_limit,
            enable_SMTPUTF8=True,
            tls_context=self._context if starttls else None,
            require_starttls=starttls,
            auth_require_tls=starttls,
            timeout=self._settings.idle,
            loop=asyncio.get_running_loop(),
        )
        if how is not Protection.IMPLICIT or self._context is None:
            return served
        return CountedHandshake(
            served, self._context, admit=served.admit, over=lambda: self._gone(served)
        )

    def _admit(self, connection: GatewayProtocol, peer: str) -> bool:
        """Whether there is room for one more connection, of this client."""
        if (
            len(self._connections) >= self._settings.connections
            or self._by_peer[peer] >= self._settings.connections_each
            or self._submission.is_ending
        ):
            self._log.detail("connection_refused", client=peer)
            return False
        self._connections[connection] = peer
        self._empty.clear()
        self._by_peer[peer] += 1
        self._metrics.connections = len(self._connections)
        self._log.detail("connected", client=peer)
        return True

    def _gone(self, connection: GatewayProtocol) -> None:
        if connection in self._connections:
            peer = self._connections.pop(connection)
            if not self._connections:
                self._empty.set()
            self._by_peer[peer] -= 1
            self._by_peer += Counter()  # forget those at zero
            self._metrics.connections = len(self._connections)

    async def _follow(self) -> None:
        """Check the state and the certificate, and log changes."""
        loop = asyncio.get_running_loop()
        serial = self._handover.serial
        while True:
            await asyncio.sleep(_LOOK)
            try:
                problem = await loop.run_in_executor(self._asking, self._handover.look)
            except StateError as error:
                problem = error.message
            if problem != self._problem:
                self._problem = problem
                self._log.event("state_away" if problem else "state_back", problem=problem)
            if self._handover.serial != serial:
                serial = self._handover.serial
                self._log.event("applied", serial=serial)
            if self._context is not None:
                await self._renew(self._context)

    async def _renew(self, context: ssl.SSLContext) -> None:
        """Load a changed certificate; an unusable one is reported once, and the old one stays."""
        loop, problem = asyncio.get_running_loop(), ""
        try:
            pem = await loop.run_in_executor(self._asking, self._certificate.read)
            if pem is None:
                return
            self._certificate.load(pem, context)  # not in a thread: handshakes use the context here
        except ReconcilerError as error:
            problem = error.message
        if not problem:
            self._log.event("certificate_reloaded")
        elif problem != self._certificate_problem:
            self._log.event("certificate_unusable", problem=problem)
        self._certificate_problem = problem

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # Clients that disconnect cause OSError.
        if error is None:
            self._log.event("warning", origin="asyncio", problem=str(context.get("message", "")))
        elif not isinstance(error, OSError | asyncio.CancelledError):
            self._log.event("fault", origin="asyncio", exception=type(error).__name__)


class _Bounded(GatewayProtocol):
    """A connection that is refused because there are too many."""

    def __init__(
        self,
        handler: SubmissionHandler,
        lost: Callable[[GatewayProtocol], None],
        *,
        accept: Callable[[GatewayProtocol, str], bool],
        **settings: Any,
    ) -> None:
        self._accept = accept
        self._is_known = False
        super().__init__(handler, lost, **settings)

    def admit(self, transport: asyncio.BaseTransport) -> bool:
        """Admit a connection, which may still have to negotiate TLS; False if there is no room."""
        peer = transport.get_extra_info("peername")
        self._is_known = self._accept(self, str(peer[0]) if peer else "")
        self.carrier = transport
        return self._is_known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve, or say 421 and close."""
        if not self._is_known and not self.admit(transport):
            if isinstance(transport, asyncio.Transport):
                transport.write(b"421 4.3.2 Too many connections\r\n")
                transport.close()
            return
        self.was_served = True
        super().connection_made(transport)
