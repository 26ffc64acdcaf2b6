"""The space of pruned entries is freed, even with other readers and writers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.state import sqlite_file
from reconciler.state.sql.store import open_store
from reconciler.values import replace
from tests.contract.conftest import NOON
from tests.contract.test_salvage import exported, rows_of, salvaged
from tests.contract.test_streamed_exports import filled, sendings
from tests.whole_states import export_of

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.state.base import StateStore

ROWS = 3000
LATER = NOON + timedelta(days=1)


def moves_pages(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as raw:
        return bool(raw.execute("PRAGMA auto_vacuum").fetchone()[0])


@pytest.fixture
def long_log(tmp_path: Path) -> Path:
    """A state that this release has made, with a long log."""
    whole = replace(
        export_of(filled(open_store(f"sqlite:///{tmp_path}/first.db"))), sent=tuple(sendings(ROWS))
    )
    made = tmp_path / "made.db"
    store = open_store(f"sqlite:///{made}")
    with store.lock(holder="ada", operation="state import") as held:
        store.restore(whole, token=held.lease.token)
    assert moves_pages(made)
    return made


def pruned(path: Path) -> StateStore:
    store = open_store(f"sqlite:///{path}")
    assert store.forget_sent(LATER) == ROWS
    return store


def test_the_file_of_a_state_shrinks(long_log: Path) -> None:
    before = long_log.stat().st_size
    store = pruned(long_log)
    assert long_log.stat().st_size > before // 2
    assert store.give_space_back() == ""
    assert long_log.stat().st_size < before // 4
    assert store.check() == ()
    assert store.give_space_back() == "", "with nothing to give back"


def test_a_file_of_an_older_release_shrinks_if_that_is_worth_a_copy(path: Path) -> None:
    assert not moves_pages(path)
    store = open_store(f"sqlite:///{path}")
    kept = export_of(store)
    assert store.give_space_back() == ""
    assert not moves_pages(path), "nothing is free"
    for record in sendings(300):
        store.record_sent(replace(record, at=NOON - timedelta(days=2), sentence="x" * 2000))
    store.close()
    before = path.stat().st_size
    assert store.forget_sent(NOON - timedelta(days=1)) == 300
    assert store.give_space_back() == ""
    assert path.stat().st_size < before // 2
    assert moves_pages(path)
    assert store.check() == ()
    assert export_of(store) == kept


def test_a_reader_keeps_its_view_and_the_file_shrinks_afterwards(long_log: Path) -> None:
    before = long_log.stat().st_size
    with closing(sqlite3.connect(long_log, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        count = "SELECT count(*) FROM sent"
        assert reader.execute(count).fetchone() == (ROWS,)
        store = pruned(long_log)
        assert store.give_space_back() == ""
        assert reader.execute(count).fetchone() == (ROWS,)
        reader.execute("COMMIT")
    assert store.sent() == ()
    assert long_log.stat().st_size < before // 4


def test_a_writer_that_does_not_finish_is_named(
    long_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY_SECONDS", 0.05)
    store = pruned(long_log)
    with closing(sqlite3.connect(long_log, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert "is locked: another process is writing to it" in store.give_space_back()
    assert store.give_space_back() == ""


def test_without_a_state_there_is_no_space_to_free(store: StateStore) -> None:
    assert store.give_space_back() == ""


@pytest.mark.parametrize("zeros", [(100, 4096), (0, 100), (0, 4096), (4096, 8192)])
def test_a_file_whose_pages_can_be_moved_is_salvaged_as_well(
    path: Path, zeros: tuple[int, int]
) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
    before = exported(path)
    octets, (start, end) = path.read_bytes(), zeros
    path.write_bytes(octets[:start] + bytes(end - start) + octets[end:])
    found = rows_of(salvaged(path))
    for name in ("history", "sent", "attempts", "uses", "resources"):
        assert found[name] >= before[name], name
