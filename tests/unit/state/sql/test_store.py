"""A commit whose connection breaks: the store finds out whether it was written, or reports that this is unknown."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import CommitUnknown, StateUnavailable
from reconciler.model.directory import Group
from reconciler.plan.changes import Create
from reconciler.state.base import Commit, Revision
from reconciler.state.location import SqliteLocation
from reconciler.state.sql import store as stores
from reconciler.state.sql import writing
from reconciler.state.sql.damaged_rows import DatabaseRows, RowSource
from reconciler.state.sql.faults import BrokenOff
from reconciler.state.sql.sqlite import SqliteDatabase
from reconciler.state.sql.store import SqlStore
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from reconciler.state.sql.rows import Rows

NEW = Commit("", 0, (Create(Group(name="team")),), datetime(2026, 3, 1, 12, tzinfo=UTC), "alice",
             "os", "", "1", "sha256:00")  # fmt: skip


@dataclass
class Shaky:
    """A database that breaks off at the moments that a test names, as often as it says."""

    real: SqliteDatabase
    before: int = 0
    within: int = 0
    after: int = 0
    looking: int = 0
    broke: bool = False
    location: SqliteLocation = field(init=False)

    def __post_init__(self) -> None:
        self.location = self.real.location

    def _break(self, moment: str) -> None:
        left = getattr(self, moment)
        if left:
            setattr(self, moment, left - 1)
            self.broke = True
            raise BrokenOff("the database broke off", hint="look at it")

    @contextmanager
    def view(self) -> Iterator[Rows | None]:
        with self.real.view() as rows:
            yield rows

    @contextmanager
    def sql_view(self) -> Iterator[Connection | None]:
        with self.real.sql_view() as view:
            yield view

    @contextmanager
    def rescue(self) -> Iterator[RowSource | None]:
        """As ``sql_view``."""
        with self.sql_view() as view:
            yield DatabaseRows(view) if view is not None else None

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        self._break("looking" if self.broke and not self.before else "before")
        with self.real.transaction() as rows:
            yield rows
            self._break("within")
        self._break("after")

    @contextmanager
    def sql_transaction(self) -> Iterator[Connection]:
        with self.real.sql_transaction() as transaction:
            yield transaction

    def rows(self, connection: Connection) -> Rows:
        return self.real.rows(connection)

    @contextmanager
    def addition(self) -> Iterator[Connection]:
        with self.real.addition() as addition:
            yield addition

    def migrate(self) -> bool:
        return self.real.migrate()

    def give_space_back(self) -> None:
        self.real.give_space_back()

    def close(self) -> None:
        self.real.close()


@pytest.fixture
def shaky(path: Path, monkeypatch: pytest.MonkeyPatch) -> Shaky:
    monkeypatch.setattr(stores, "_WAITS", (0, 0, 0))
    return Shaky(SqliteDatabase(SqliteLocation(path), read_only=False))


def commit(shaky: Shaky, **moments: int) -> Revision:
    """Commit under a lock, with breaks at these moments."""
    store = SqlStore(shaky)
    with store.lock(holder="alice", operation="apply") as lock:
        for moment, times in moments.items():
            setattr(shaky, moment, times)
        try:
            return store.commit(NEW, token=lock.lease.token)
        finally:
            shaky.before = shaky.within = shaky.after = shaky.looking = 0


def serial(shaky: Shaky) -> int:
    return SqlStore(shaky).load().serial


def test_a_commit_waits_for_a_database_that_restarts(shaky: Shaky) -> None:
    assert commit(shaky, before=3).serial == 1
    assert serial(shaky) == 1


def test_a_database_that_stays_away_is_reported_and_nothing_was_written(shaky: Shaky) -> None:
    with pytest.raises(StateUnavailable) as caught:
        commit(shaky, before=4)
    assert caught.value.hint == "look at it"
    assert serial(shaky) == 0


def test_what_was_not_written_is_not_written_twice(shaky: Shaky) -> None:
    with pytest.raises(StateUnavailable) as caught:
        commit(shaky, within=1)
    assert caught.value.hint == "run the command again"
    assert serial(shaky) == 0


def test_a_commit_without_a_confirmation_counts(shaky: Shaky) -> None:
    assert commit(shaky, after=1, looking=2) == SqlStore(shaky).revisions()[0]
    assert serial(shaky) == 1


def test_an_unknown_outcome_is_reported(shaky: Shaky) -> None:
    with pytest.raises(CommitUnknown) as caught:
        commit(shaky, after=1, looking=4)
    assert "`reconciler history` shows whether the revision was written" in caught.value.hint
    assert serial(shaky) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"actor": "bob"},
        {"plan_digest": "sha256:01"},
        {"at": datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)},
        {"expected_serial": 1},
    ],
)
def test_the_revision_of_somebody_else_is_not_taken_for_ones_own(
    other: dict[str, object], shaky: Shaky
) -> None:
    commit(shaky)
    with shaky.real.transaction() as rows:
        assert writing.written(rows, NEW) is not None
        assert writing.written(rows, replace(NEW, **other)) is None  # type: ignore[arg-type]


def test_a_revision_was_written_even_if_another_followed(shaky: Shaky) -> None:
    commit(shaky)
    store = SqlStore(shaky)
    other = replace(
        NEW,
        expected_lineage=store.load().lineage,
        expected_serial=1,
        changes=(Create(Group(name="other")),),
    )
    with store.lock(holder="bob", operation="apply") as lock:
        store.commit(other, token=lock.lease.token)
    with shaky.real.transaction() as rows:
        found = writing.written(rows, NEW)
    assert found == store.revisions(until=1)[0]
