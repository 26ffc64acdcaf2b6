"""A connection that stays open between transactions, for frequent writes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

_IDLE_SECONDS = 30.0
"""After this long without use a connection may be dead at the other end, and is reopened."""


class PooledConnection:
    """Lends one connection, to one thread at a time.

    ``place`` identifies what the connection leads to, since a file may be replaced meanwhile. After
    a failure the next transaction gets a new connection.
    """

    def __init__(self, connect: Callable[[], Connection], place: Callable[[], object]) -> None:
        self._connect = connect
        self._place = place
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._opened: object = None
        self._used = 0.0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction."""
        with self._turn:
            connection = self._fresh()
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                self._drop()
                raise
            self._used = time.monotonic()

    def close(self) -> None:
        """Close it, if it is open."""
        with self._turn:
            self._drop()

    def _fresh(self) -> Connection:
        place = self._place()
        idle = time.monotonic() - self._used
        if self._connection is None or place != self._opened or idle > _IDLE_SECONDS:
            self._drop()
            self._connection, self._opened = self._connect(), place
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
