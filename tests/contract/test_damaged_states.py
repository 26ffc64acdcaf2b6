"""One wrong value in any column: a sentence that names its place, and never a traceback."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateCorrupt, StateError
from reconciler.model.address import Address, Kind
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.snapshot import LastTest, StoredState
from reconciler.plan.changes import Update
from reconciler.state import schema_version
from reconciler.state.base import Commit, StateStore
from reconciler.state.sql import tables
from reconciler.state.sql.store import open_store
from reconciler.values import replace
from tests.contract.write_state import STATES
from tests.whole_states import export_of, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sweeps import Some

WRONG = ("[", 2**63 - 1, 1.5, b"\x00\xff")
COLUMNS = [
    (table.name, column.name)
    for table in tables.metadata.sorted_tables
    for column in table.columns
    if not (table.name == "lock" and column.name == "id")
]


@dataclass(frozen=True, slots=True)
class Reopened:
    """A store whose file is replaced behind its back; one for all values, since each compiles its own queries."""

    path: Path
    store: StateStore
    whole: bytes

    def damage(self, statement: str, *values: object) -> bool:
        """Start from the whole state, and change it; False if SQLite itself refuses."""
        self.path.write_bytes(self.whole)
        return damage(self.path, statement, *values)


@pytest.fixture(scope="module")
def reopened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reopened]:
    path = tmp_path_factory.mktemp("reopened") / "state.db"
    path.touch(mode=0o600)
    whole = (STATES / f"{schema_version.SCHEMA_VERSION}.db").read_bytes()
    with closing(open_store(f"sqlite:///{path}")) as store:
        yield Reopened(path, store, whole)


def damage(path: Path, statement: str, *values: object) -> bool:
    """Change a state behind its back; False if SQLite itself refuses."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = ON")
        try:
            raw.execute(statement, values)
        except sqlite3.IntegrityError:
            return False
        raw.commit()
        return True


def read_everything(store: StateStore) -> None:
    """Call every method of a store that reads, and use the answers."""
    state = store.load()
    for revision in store.revisions(limit=1000):
        store.changes_of(revision.serial)
        store.past(revision.serial)
        store.step(revision.serial)
    for item in state.resources:
        store.history(item.address)
    store.history(Address(Kind.EMAIL_CONNECTOR, "old"))
    store.lease()
    store.sent()
    store.attempts()
    store.broken_links()
    to_text(export_of(store))


def test_a_whole_state_has_no_problems(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    assert store.check() == ()
    assert store.broken_links() == ()
    read_everything(store)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_wrong_value_in_any_column_is_an_error_of_the_state(
    reopened: Reopened, table: str, column: str, some: Some
) -> None:
    for value in some(WRONG):
        if not reopened.damage(f'UPDATE "{table}" SET "{column}" = ?', value):
            continue
        with suppress(StateError):  # anything else is a traceback
            read_everything(reopened.store)
        assert all(isinstance(item, str) for item in reopened.store.check())


UNDECODABLE = "CAST(x'ff' AS TEXT)"


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_an_apply_to_a_damaged_state_leaves_no_lock_and_no_log(
    reopened: Reopened, table: str, column: str, some: Some
) -> None:
    reopened.path.write_bytes(reopened.whole)
    commit = changing_every_connector(reopened.store.load())
    for value in some(("'['", str(2**63 - 1), "x'00ff'", UNDECODABLE)):
        if not reopened.damage(f'UPDATE "{table}" SET "{column}" = {value}'):
            continue
        with suppress(StateError), reopened.store.lock(holder="bob", operation="apply") as lock:
            reopened.store.commit(commit, token=lock.lease.token)
        assert [path.name for path in reopened.path.parent.iterdir()] == ["state.db"]
        if table != "lock":
            assert reopened.store.lease() is None


def changing_every_connector(state: StoredState) -> Commit:
    """An apply that updates all connectors, with their fingerprints and tests."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    connectors = state.snapshot.connectors
    marks = tuple((reference, Fingerprint("1", "2")) for reference in connectors[0].references)
    return Commit(
        state.lineage,
        state.serial,
        tuple(Update(item, replace(item, display_name="Changed"), ()) for item in connectors),
        at, "alice", "os", "", "1", "sha256:00",
        fingerprints=((connectors[0].name, marks),),
        tests=tuple((item.name, LastTest(passed=True, at=at)) for item in connectors),
    )  # fmt: skip


def test_many_rows_after_a_wrong_one_leave_no_lock_and_no_log(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    commit = changing_every_connector(store.load())
    with closing(sqlite3.connect(path)) as raw, raw:
        (uid,) = raw.execute("SELECT uid FROM resources WHERE name = 'payroll'").fetchone()
        found = ((uid, "domain", f"{number}.example", "mark") for number in range(2000))
        raw.executemany(
            "INSERT INTO routing_keys (uid, role, key, mark) VALUES (?, ?, ?, ?)", found
        )
        raw.execute("UPDATE routing_keys SET role = x'00ff' WHERE key = '0.example'")
    with (
        pytest.raises(StateCorrupt),
        store.lock(holder="bob", operation="apply") as lock,
    ):
        store.commit(commit, token=lock.lease.token)
    assert store.lease() is None
    assert sorted(item.name for item in path.parent.glob("*.db*")) == [path.name]


@pytest.mark.parametrize("column", ["since", "expires"])
def test_a_lock_without_its_times_is_damage(path: Path, column: str) -> None:
    assert damage(path, f"UPDATE lock SET token = 'x', {column} = NULL")
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StateCorrupt, match="a lock without its times"):
        store.lease()
    with pytest.raises(StateCorrupt, match="a lock without its times"):
        store.lock(holder="bob", operation="apply")


def test_a_moment_beyond_the_calendar_is_named(path: Path) -> None:
    late = "9999-12-31T23:59:59-10:00"
    assert damage(path, "UPDATE revisions SET at = ? WHERE serial = 1", late)
    (problem, *_) = open_store(f"sqlite:///{path}").check()
    assert "table revisions, row serial '1', column at: expected a point in time" in problem


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE resources SET spec = '{' WHERE name = 'payroll'",
         "column spec: expected JSON"),
        ("UPDATE sent SET recipients = 'many'",
         "table sent, row id '5eed', column recipients: expected a whole number"),
        ("UPDATE attempts SET outcome = 'maybe' WHERE id = 'first'",
         "table attempts, row id 'first', column outcome: unknown word 'maybe'"),
        ("UPDATE revisions SET at = 'yesterday' WHERE serial = 2",
         "table revisions, row serial '2', column at: expected a point in time"),
        ("UPDATE fingerprints SET reference = 'hunter2'", "expected a secret reference"),
        ("DELETE FROM meta", "table meta has 0 rows: expected 1"),
        ("DELETE FROM revisions WHERE serial = 2", "revision 2 is missing"),
        ("DELETE FROM history WHERE serial = 1 AND position = 0",
         "the history of revision 1 has gaps"),
        ("UPDATE resources SET spec = replace(spec, 'payroll@', 'thief@')",
         "the stored specification of EmailConnector.payroll does not match its digest"),
    ],
)  # fmt: skip
def test_a_check_names_table_row_and_column(path: Path, statement: str, problem: str) -> None:
    assert damage(path, statement)
    assert any(problem in item for item in open_store(f"sqlite:///{path}").check())


def test_an_unreadable_value_is_named_where_it_is_read(path: Path) -> None:
    damage(path, "UPDATE sent SET recipients = 'many'")
    with pytest.raises(
        StateCorrupt, match="table sent, row id '5eed', column recipients"
    ) as caught:
        open_store(f"sqlite:///{path}").sent()
    assert "reconciler state check" in caught.value.hint


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE revisions SET actor = 'eve@contoso.example' WHERE serial = 2",
        "UPDATE history SET spec = replace(spec, 'payroll@', 'thief@') WHERE serial = 2",
        "DELETE FROM history WHERE serial = 2 AND position = 1",
    ],
)
def test_a_changed_history_is_noticed(path: Path, statement: str) -> None:
    damage(path, statement)
    assert open_store(f"sqlite:///{path}").broken_links() == (2, 3)


def test_an_apply_refuses_a_file_that_is_damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 6 + 3)
        file.write(b"\xff" * 200)
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StateError, match="damaged"):
        store.lock(holder="ada", operation="apply")
