"""The connection that stays open while a mailer is: it notices what happens to the state meanwhile."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateTooNew, StateUnavailable
from reconciler.state import schema_version
from reconciler.state.sql import pooled
from reconciler.state.sql.store import open_store
from reconciler.values import replace
from tests.contract.test_store_sending import SENT
from tests.contract.write_state import STATES

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.state.base import StateStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    target = tmp_path / "state.db"
    shutil.copy(STATES / f"{schema_version.SCHEMA_VERSION}.db", target)
    return target


@pytest.fixture
def store(file: Path) -> StateStore:
    return open_store(f"sqlite:///{file}")


def ids(file: Path) -> set[str]:
    found = open_store(f"sqlite:///{file}").sent()
    return {record.id for record in found} - {SENT.id}


def add(store: StateStore, *names: str) -> None:
    for name in names:
        store.record_sent(replace(SENT, id=name))


def test_what_is_added_is_seen_at_once_and_nothing_stays_behind(
    store: StateStore, file: Path
) -> None:
    add(store, "a", "b")
    assert ids(file) == {"a", "b"}
    store.close()
    assert [item.name for item in file.parent.iterdir()] == ["state.db"]
    add(store, "c")
    assert ids(file) == {"a", "b", "c"}
    store.close()


def test_a_state_that_was_restored_meanwhile_gets_what_comes_next(
    store: StateStore, file: Path
) -> None:
    add(store, "a")
    restored = file.with_name("restored.db")
    shutil.copy(STATES / f"{schema_version.SCHEMA_VERSION}.db", restored)
    for log in file.parent.glob("state.db-*"):
        log.unlink()
    restored.replace(file)
    add(store, "b")
    assert ids(file) == {"b"}
    store.close()


def test_a_deleted_state_is_not_recreated(store: StateStore, file: Path) -> None:
    add(store, "a")
    for item in file.parent.iterdir():
        item.unlink()
    with pytest.raises(StateUnavailable, match="is gone"):
        add(store, "b")
    assert not file.exists()
    store.close()


def test_after_a_failure_the_next_one_is_written(store: StateStore, file: Path) -> None:
    add(store, "a")
    with pytest.raises(Exception, match="UNIQUE"):
        add(store, "a")
    add(store, "b")
    assert ids(file) == {"a", "b"}
    store.close()


def test_a_long_idle_connection_is_reopened(
    store: StateStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "a")
    first = store._database._kept._connection  # type: ignore[attr-defined]
    monkeypatch.setattr(pooled, "_IDLE_SECONDS", -1.0)
    add(store, "b")
    assert store._database._kept._connection is not first  # type: ignore[attr-defined]
    assert ids(file) == {"a", "b"}
    store.close()


def test_a_newer_state_is_not_added_to(
    store: StateStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(schema_version, "SCHEMA_VERSION", "0001")
        with pytest.raises(StateTooNew):
            add(store, "a")
    assert ids(file) == set()


def test_threads_take_turns(store: StateStore, file: Path) -> None:
    names = [[f"{thread}-{number}" for number in range(20)] for thread in range(4)]
    threads = [threading.Thread(target=add, args=(store, *mine)) for mine in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = open_store(f"sqlite:///{file}").sent(limit=1000)
    assert {record.id for record in found} >= {name for mine in names for name in mine}
    store.close()
