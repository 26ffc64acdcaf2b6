"""How a state goes from one release's schema to the next one's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest
from sqlalchemy import create_engine, inspect

from reconciler.errors import StateConflict, StateTooNew, StateUnavailable
from reconciler.model.directory import Group
from reconciler.plan.changes import Create
from reconciler.state import schema_version
from reconciler.state.base import Revision, StateStore
from reconciler.state.sql import schema, tables
from reconciler.state.sql.store import SqlStore, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

Apply = Callable[..., Revision]

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade():
    op.add_column("meta", sa.Column("motto", sa.Text, nullable=False, server_default=""))
    {more}
"""


class Place(Protocol):
    def open(self, *, own_clock: bool = False) -> StateStore: ...

    def clear(self) -> None: ...


both_databases = pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("postgresql", marks=pytest.mark.server)], indirect=True
)


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets the code be that of a next release, with one more migration."""

    def run(more: str) -> None:
        scripts = tmp_path / "next release"
        shutil.copytree(schema.SCRIPTS, scripts)
        (scripts / "versions" / "v0006_next.py").write_text(NEXT.format(more=more))
        monkeypatch.setattr(schema, "SCRIPTS", scripts)
        monkeypatch.setattr(schema_version, "SCHEMA_VERSION", "0006")

    return run


@both_databases
def test_an_older_state_is_refused_until_it_is_migrated(
    place: Place, apply: Apply, release: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(place.open(), Create(Group(name="team")))
    before = place.open().load()
    with monkeypatch.context() as older:
        release("pass")
        for refused in (SqlStore.load, SqlStore.revisions, SqlStore.lease):
            with pytest.raises(StateUnavailable, match="older release"):
                refused(cast("SqlStore", place.open()))
        with pytest.raises(StateUnavailable, match="older release"):
            place.open().lock(holder="alice", operation="apply")
        assert place.open().migrate()
        assert not place.open().migrate()
        assert place.open().load() == before
        apply(place.open(), Create(Group(name="other")))
        older.setattr(schema_version, "SCHEMA_VERSION", "0005")
        with pytest.raises(StateTooNew, match="schema 0006; this one knows 0005"):
            place.open().load()


@both_databases
def test_without_a_state_nothing_is_migrated_or_created(place: Place) -> None:
    assert not place.open().migrate()
    assert place.open().load().serial == 0
    assert place.open().lease() is None


@both_databases
def test_a_migration_that_fails_changes_nothing(
    place: Place, apply: Apply, release: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(place.open(), Create(Group(name="team")))
    before = place.open().load()
    with monkeypatch.context():
        release('raise RuntimeError("no")')
        with pytest.raises(RuntimeError):
            place.open().migrate()
    monkeypatch.undo()
    assert schema_version.SCHEMA_VERSION == "0005"
    assert place.open().load() == before
    apply(place.open(), Create(Group(name="other")))


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_backup_is_made_only_before_a_migration(
    place: Place, apply: Apply, release: Callable[[str], None], tmp_path: Path
) -> None:
    folder = tmp_path / "0"
    apply(place.open(), Create(Group(name="team")))
    before = place.open().load()
    assert [item.name for item in folder.glob("state*")] == ["state.db"]
    release("pass")
    place.open().migrate()
    backup = folder / "state.db.schema-0005.bak"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert sorted(item.name for item in folder.glob("*state*")) == [
        "state.db",
        "state.db.schema-0005.bak",
    ]
    shutil.copy(backup, folder / "old.db")
    old = open_store(f"sqlite:///{folder}/old.db")
    old.migrate()
    assert old.load() == before


@both_databases
def test_an_older_state_cannot_be_read_where_nothing_may_be_written(
    place: Place,
    apply: Apply,
    release: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply(place.open(), Create(Group(name="team")))
    release("pass")
    store = place.open()
    monkeypatch.setattr(store._database, "_read_only", True)  # type: ignore[attr-defined]
    with pytest.raises(StateUnavailable, match="older release") as caught:
        store.migrate()
    assert "reconciler state migrate" in caught.value.hint


@both_databases
def test_a_failed_commit_of_a_migrated_state_is_still_a_conflict(
    place: Place, apply: Apply, release: Callable[[str], None]
) -> None:
    apply(place.open(), Create(Group(name="team")))
    release("pass")
    place.open().migrate()
    with pytest.raises(StateConflict):
        apply(place.open(), Create(Group(name="team")))
    assert place.open().load().serial == 1


def described(connection: Connection) -> dict[str, Any]:
    """Everything that the database knows about its tables, and the rows of a new state."""
    looked = inspect(connection)
    found: dict[str, Any] = {}
    for name in looked.get_table_names():
        found[name] = {
            "columns": [
                {key: str(part) for key, part in column.items()}
                for column in looked.get_columns(name)
            ],
            "key": looked.get_pk_constraint(name),
            "references": looked.get_foreign_keys(name),
            "unique": sorted(looked.get_unique_constraints(name), key=str),
            "checks": sorted(looked.get_check_constraints(name), key=str),
            "indexes": sorted(looked.get_indexes(name), key=str),
            "rows": [tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')],
        }
    return found


@pytest.fixture
def empty_databases() -> Iterator[Iterator[Connection]]:
    """As many empty databases in SQLite as are asked for."""
    with ExitStack() as stack:

        def made() -> Iterator[Connection]:
            while True:
                yield stack.enter_context(create_engine("sqlite://").begin())

        yield made()


def test_a_new_file_is_what_the_migrations_and_the_tables_of_the_code_make_of_nothing(
    tmp_path: Path, empty_databases: Iterator[Connection]
) -> None:
    store: Any = open_store(f"sqlite:///{tmp_path}/state.db")
    migrated, created = next(empty_databases), next(empty_databases)
    schema.migrate(migrated)
    schema.create(created)
    with store._database.sql_transaction() as connection:
        found = described(connection)
        assert found == described(migrated)
        assert statements(connection) == statements(created)
    assert found["alembic_version"]["rows"] == [(schema_version.SCHEMA_VERSION,)]
    assert len(found) == len(tables.metadata.tables) + 1


def statements(connection: Connection) -> list[str]:
    """The statements that made the tables of a database, with single spaces."""
    query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"
    return sorted(" ".join(sql.split()) for (sql,) in connection.exec_driver_sql(query))


@pytest.mark.server
@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_new_schema_is_what_the_migrations_make_of_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for create in (schema.create, schema.migrate):
        place.clear()
        monkeypatch.setattr(schema, "create", create)
        store: Any = place.open()
        with store._database.sql_transaction() as connection:
            made.append(described(connection))
    assert made[0] == made[1]
    assert made[0]["alembic_version"]["rows"] == [(schema_version.SCHEMA_VERSION,)]
    assert len(made[0]) == len(tables.metadata.tables) + 1


def test_the_migrations_build_the_tables_that_the_code_uses_in_sqlite(
    empty_databases: Iterator[Connection],
) -> None:
    migrated = next(empty_databases)
    schema.migrate(migrated)
    assert differences(migrated) == []


@pytest.mark.server
@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_the_migrations_build_the_tables_that_the_code_uses_in_postgresql(
    place: Place, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "create", schema.migrate)
    store: Any = place.open()
    apply(store)
    with store._database.sql_transaction() as connection:
        assert differences(connection) == []


def differences(connection: Connection) -> list[Any]:
    """What would have to be migrated to reach the tables of the code."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    found: list[Any] = compare_metadata(context, tables.metadata)
    return found
