"""What the tests of the state have in common: a way to commit in one line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from reconciler.state.base import Commit, Revision, StateStore

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.plan.changes import Change

Apply = Callable[..., Revision]


@pytest.fixture
def apply() -> Apply:
    """Commits changes on top of what a store holds, under a lock of its own."""

    def run(store: StateStore, *changes: Change) -> Revision:
        base = store.load()
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        new = Commit(base.lineage, base.serial, changes, at, "alice", "os", "", "1", "sha256:00")
        with store.lock(holder="alice", operation="apply") as lock:
            return store.commit(new, token=lock.lease.token)

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a state file would lie; neither it nor its folder exists."""
    return tmp_path / ".reconciler" / "state.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"
