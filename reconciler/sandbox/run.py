"""The background thread of the servers."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.sandbox.servers import Servers


class Run:
    """Servers on an event loop in a thread of their own."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._ready: Future[Callable[[], object]] = Future()
        self._thread = threading.Thread(target=self._main, name="sandbox", daemon=True)

    def start(self) -> None:
        """Start, and return once every account is there; raises what stopped the servers if not."""
        self._thread.start()
        self._ready.result()

    def end(self) -> None:
        """End every conversation and the thread. It is safe to call twice, or after a failed start."""
        if self._thread.is_alive():
            ask_to_stop = self._ready.result()
            ask_to_stop()
            self._thread.join()

    def _main(self) -> None:
        import asyncio  # noqa: PLC0415 - heavy; by now the servers have imported it

        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        import asyncio  # noqa: PLC0415 - see above

        loop = asyncio.get_running_loop()
        stop = asyncio.Event()

        def ask_to_stop() -> None:
            loop.call_soon_threadsafe(stop.set)

        await self._servers.run(lambda: self._ready.set_result(ask_to_stop), stop)
