"""How a state goes from one release's schema to the next one's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest
from sqlalchemy import inspect

from reconciler.errors import StateConflict, StateTooNew, StateUnavailable
from reconciler.model.directory import Group
from reconciler.plan.changes import Create
from reconciler.state.base import Revision, StateStore
from reconciler.state.sql import schema, tables
from reconciler.state.sql.store import SqlStore

if TYPE_CHECKING:
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
        monkeypatch.setattr(schema, "CURRENT", "0006")

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
        older.setattr(schema, "CURRENT", "0005")
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
    assert schema.CURRENT == "0005"
    assert place.open().load() == before
    apply(place.open(), Create(Group(name="other")))


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_backup_is_made_only_before_a_migration(
    place: Place, apply: Apply, release: Callable[[str], None], tmp_path: Path
) -> None:
    from reconciler.state.sql.store import open_store

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


@both_databases
def test_a_new_state_is_what_the_migrations_make_of_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for create in (schema.create, schema.migrate):
        place.clear()
        monkeypatch.setattr(schema, "create", create)
        store = place.open()
        with store._database.transaction() as connection:  # type: ignore[attr-defined]
            made.append(described(connection))
    assert made[0] == made[1]
    assert made[0]["alembic_version"]["rows"] == [(schema.CURRENT,)]
    assert len(made[0]) == len(tables.metadata.tables) + 1


@both_databases
def test_the_migrations_build_the_tables_that_the_code_uses(
    place: Place, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    monkeypatch.setattr(schema, "create", schema.migrate)
    store = place.open()
    apply(store)
    with store._database.transaction() as connection:  # type: ignore[attr-defined]
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
