"""The stores that the contract suite runs on, each empty at the start of a test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pytest

from reconciler.state import schema_version
from reconciler.state.base import Commit, Revision, StateStore
from reconciler.state.sql import schema, tables
from reconciler.state.sql.store import open_store
from tests.contract.write_state import STATES
from tests.memory_store import MemoryStore

if TYPE_CHECKING:
    from reconciler.model.snapshot import StoredState
    from reconciler.plan.changes import Change

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that only a test moves."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A whole state of this release."""
    target = tmp_path / "state.db"
    shutil.copyfile(STATES / f"{schema_version.SCHEMA_VERSION}.db", target)
    target.chmod(0o600)
    return target


class Place(Protocol):
    """Somewhere a state can be: opened any number of times it is the same state, until ``clear`` or ``empty``.

    Then there is none; after ``empty`` there may be one in which nothing was ever stored.
    """

    clock: Clock

    def open(self, *, own_clock: bool = False) -> StateStore: ...

    def clear(self) -> None: ...

    def empty(self) -> None: ...


@dataclass
class MemoryPlace:
    clock: Clock = field(default_factory=Clock)
    store: MemoryStore | None = None

    def open(self, *, own_clock: bool = False) -> StateStore:
        if self.store is None:
            self.store = MemoryStore() if own_clock else MemoryStore(clock=self.clock)
        return self.store

    def clear(self) -> None:
        self.store = None

    empty = clear


@dataclass
class SqlitePlace:
    folder: Path
    clock: Clock = field(default_factory=Clock)
    count: int = 0

    @property
    def path(self) -> Path:
        return self.folder / str(self.count) / "state.db"

    def open(self, *, own_clock: bool = False) -> StateStore:
        url = f"sqlite:///{self.path}"
        return open_store(url, clock=None if own_clock else self.clock)

    def clear(self) -> None:
        self.count += 1

    empty = clear


@dataclass
class PostgresqlPlace:
    url: str
    clock: Clock = field(default_factory=Clock)

    def open(self, *, own_clock: bool = False) -> StateStore:
        return open_store(self.url, clock=None if own_clock else self.clock)

    def clear(self) -> None:
        import psycopg

        with psycopg.connect(self.url) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("DROP SCHEMA IF EXISTS reconciler CASCADE")

    def empty(self) -> None:
        """Leave it as it was created, if it still has its tables: making new ones takes far longer."""
        import psycopg

        with psycopg.connect(self.url) as connection:
            if set(connection.execute(_COLUMNS)) == _expected_columns():
                connection.execute(_EMPTY)
                return
        self.clear()


_COLUMNS: Final = """
    SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = to_regnamespace('reconciler') AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
"""


def _expected_columns() -> set[tuple[str, str]]:
    found = {
        (table.name, column.name)
        for table in tables.metadata.tables.values()
        for column in table.columns
    }
    return found | {(schema.VERSION_TABLE, "version_num")}


_EMPTY: Final = ";".join(
    (
        "SET search_path = reconciler",
        *(f"DELETE FROM {table.name}" for table in reversed(tables.metadata.sorted_tables)),
        *(
            str(item.compile(compile_kwargs={"literal_binds": True}))
            for item in schema.first_rows()
        ),
        f"UPDATE {schema.VERSION_TABLE} SET version_num = '{schema_version.SCHEMA_VERSION}'",
    )
)


@pytest.fixture(
    params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.server)],
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "memory":
        return MemoryPlace()
    if request.param == "sqlite":
        return SqlitePlace(tmp_path)
    found = PostgresqlPlace(request.getfixturevalue("postgresql_url"))
    if "apply" in request.fixturenames:  # otherwise, what matters may be that there is none
        found.empty()
    else:
        found.clear()
    return found


@pytest.fixture
def clock(place: Place) -> Clock:
    return place.clock


@pytest.fixture
def store(place: Place) -> Iterator[StateStore]:
    opened = place.open()
    yield opened
    opened.close()


Apply = Callable[..., Revision]


@pytest.fixture
def apply() -> Apply:
    """Commits changes on top of what a store holds, under a lock of its own."""

    def run(store: StateStore, *changes: Change, **fields: object) -> Revision:
        base: StoredState = store.load()
        values: dict[str, object] = {
            "expected_lineage": base.lineage,
            "expected_serial": base.serial,
            "changes": changes,
            "at": NOON + timedelta(hours=base.serial),
            "actor": "alice@contoso.example",
            "actor_source": "--actor",
            "git_commit": "c0ffee",
            "tool_version": "1.2.3",
            "plan_digest": "sha256:00",
            **fields,
        }
        with store.lock(holder="alice", operation="apply") as lock:
            return store.commit(Commit(**values), token=lock.lease.token)  # type: ignore[arg-type]

    return run
