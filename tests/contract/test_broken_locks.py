"""The lock of a database whose connection breaks while it is taken, held or released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateError
from reconciler.state.sql import locking
from reconciler.state.sql.store import open_store
from tests.servers.loopback import LOOPBACK
from tests.servers.pass_on import CHUNK, PassOn

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from reconciler.state.base import StateStore
    from tests.servers.postgresql import Postgresql

pytestmark = pytest.mark.server


class CutWrite(PassOn):
    """Cuts the connection of the next write to the lock, once: before its UPDATE or COMMIT, or after the COMMIT.

    With ``every``, it cuts all of them.
    """

    def __init__(self, server: Postgresql) -> None:
        super().__init__(server.socket)
        self.at = ""
        self.every = False
        self.cuts = 0
        self._writing: set[int] = set()

    @property
    def url(self) -> str:
        """The URL of the state through this proxy."""
        return f"postgresql://tester@{LOOPBACK}:{self.port}/postgres?sslmode=disable"

    def piece(
        self, client: socket.socket, server: socket.socket, data: bytes, *, upwards: bool
    ) -> bool:
        """Pass on what comes before the cut."""
        if upwards and self.at:
            updates, commits = b"UPDATE lock" in data, b"COMMIT" in data
            if updates:
                self._writing.add(client.fileno())
            due = updates if self.at == "UPDATE" else commits and client.fileno() in self._writing
            if due:
                self._writing.clear()
                self.cuts += 1
                if self.at == "after COMMIT":
                    server.sendall(data)
                    server.recv(CHUNK)
                if not self.every:
                    self.at = ""
                return False
        return super().piece(client, server, data, upwards=upwards)


@pytest.fixture
def between(postgresql: Postgresql) -> Iterator[CutWrite]:
    postgresql.clear()
    with CutWrite(postgresql) as proxy:
        yield proxy
    postgresql.clear()


@pytest.fixture
def store(between: CutWrite, postgresql: Postgresql) -> Iterator[StateStore]:
    first = open_store(postgresql.url)
    with first.lock(holder="lead", operation="apply"):  # which creates the state
        pass
    first.close()
    opened = open_store(between.url)
    yield opened
    opened.close()


MOMENTS = ("UPDATE", "COMMIT", "after COMMIT")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_lock_is_released_over_a_new_connection(
    store: StateStore, between: CutWrite, moment: str
) -> None:
    with store.lock(holder="alice", operation="apply") as lock:
        between.at = moment
    assert between.cuts == 1
    assert lock.not_released is None
    assert store.lease() is None


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_lock_is_taken_over_a_new_connection(
    store: StateStore, between: CutWrite, moment: str
) -> None:
    between.at = moment
    with store.lock(holder="alice", operation="apply") as lock:
        assert between.cuts == 1
        found = store.lease()
        assert found is not None
        assert found.token == lock.lease.token
    assert store.lease() is None


def test_a_server_that_breaks_every_connection_is_not_tried_for_ever(
    store: StateStore, between: CutWrite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "_WAITS", (0.01, 0.01))
    with store.lock(holder="alice", operation="apply") as lock:
        between.at, between.every = "COMMIT", True
    assert between.cuts == 3
    assert lock.not_released is not None
    between.at = ""
    assert store.lease() is not None, "it expires by itself"


def test_a_lock_that_was_taken_after_all_is_released(
    store: StateStore, between: CutWrite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "_WAITS", ())
    between.at = "after COMMIT"
    with pytest.raises(StateError, match="cannot be reached or used"):
        store.lock(holder="alice", operation="apply")
    assert between.cuts == 1
    assert store.lease() is None
