"""The background thread of the sandbox's servers, and of its gateway."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

R = TypeVar("R")


class Run(Generic[R]):
    """Servers on an event loop in a separate thread, since the main thread handles signals.

    ``serve`` serves until the event is set; once it is ready, it calls its second argument with a
    result.
    """

    def __init__(
        self,
        name: str,
        serve: Callable[[asyncio.Event, Callable[[R], object]], Coroutine[object, object, None]],
    ) -> None:
        self._serve_until = serve
        self._ready: Future[tuple[R, Callable[[], object]]] = Future()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> R:
        """Start, and return the servers' result once they are ready; raises the error that stopped them."""
        self._thread.start()
        return self._ready.result()[0]

    def end(self) -> None:
        """End every conversation and the thread. It is safe to call twice, or after a failed start."""
        if self._thread.is_alive():
            if self._ready.exception() is None:
                _, ask_to_stop = self._ready.result()
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

        await self._serve_until(stop, lambda told: self._ready.set_result((told, ask_to_stop)))
