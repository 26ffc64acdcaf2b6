"""A whole state moves from one store to another, into empty ones alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.errors import StateConflict, StateError
from reconciler.model.directory import Group
from reconciler.plan.changes import Create
from reconciler.state.base import Revision, StateStore
from tests.memory_store import MemoryStore
from tests.whole_states import export_of

Apply = Callable[..., Revision]


def test_a_state_that_is_not_empty_is_never_filled(store: StateStore, apply: Apply) -> None:
    apply(store, Create(Group(name="team")))
    export, before = export_of(store), store.load()
    with (
        store.lock(holder="bob", operation="state import") as lock,
        pytest.raises(StateError, match="not empty: it is at serial 1"),
    ):
        store.restore(export, token=lock.lease.token)
    assert store.load() == before


def test_a_lost_lock_prevents_filling_a_state(store: StateStore, apply: Apply) -> None:
    other = MemoryStore()
    apply(other, Create(Group(name="team")))
    with store.lock(holder="bob", operation="state import") as lock:
        store.unlock(lock.lease.token)
        with pytest.raises(StateConflict):
            store.restore(export_of(other), token=lock.lease.token)
    assert store.load().serial == 0


def test_without_an_apply_there_is_nothing_to_export(store: StateStore) -> None:
    with pytest.raises(StateError, match="nothing was applied yet"):
        export_of(store)
