"""Implicit TLS with a limit: asyncio's own server would admit every handshake uncounted."""

from __future__ import annotations

import asyncio
from asyncio.sslproto import SSLProtocol
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_SECONDS: Final = 20
"""How long a handshake may take."""


class CountedHandshake(SSLProtocol):
    """A connection with TLS.

    ``admit`` is asked before its handshake, and ``over`` is called at its end if it was admitted.

    A refused client gets no answer: that would cost a handshake.
    """

    def __init__(
        self,
        served: asyncio.Protocol,
        context: ssl.SSLContext,
        *,
        admit: Callable[[asyncio.Transport], bool],
        over: Callable[[], None],
    ) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            served,
            context,
            None,  # type: ignore[arg-type]  # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=_SECONDS,
        )
        self._admit = admit
        self._over = over
        self._is_admitted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or end the connection."""
        if not isinstance(transport, asyncio.Transport):
            return
        self._is_admitted = self._admit(transport)
        if self._is_admitted:
            super().connection_made(transport)
        else:
            transport.abort()

    def connection_lost(self, error: BaseException | None) -> None:
        """Report the end, even during the handshake."""
        if self._is_admitted:
            super().connection_lost(error)
            self._over()
