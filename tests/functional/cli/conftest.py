"""Servers that misbehave, and both kinds of stores."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import Home
    from tests.servers.postgresql import Postgresql


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of loopback that accepts connections and never says anything."""
    accepted: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                accepted.append(listener.accept()[0])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in accepted:
        connection.close()


@pytest.fixture
def closed_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty state, on each kind of store."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state/state.db"
        return
    server: Postgresql = request.getfixturevalue("postgresql")
    server.clear()
    yield server.url
    server.clear()


@pytest.fixture
def shared(home: Home, state_url: str) -> Home:
    """A folder with the shipped example, and a state that others can share with it."""
    home.environ["RECONCILER_STATE"] = state_url
    return home
