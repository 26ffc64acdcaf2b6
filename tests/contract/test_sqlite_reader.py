"""The short way to the newest revision of a SQLite file: it reads what the store reads, or nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Boolean

from reconciler.errors import StateError, StateUnavailable
from reconciler.model.address import Address, Kind
from reconciler.state import schema_version, sqlite_reader
from reconciler.state.sql import tables
from reconciler.state.sql.store import open_store
from tests.contract.test_damaged_states import WRONG, damage
from tests.contract.test_state_files import VERSIONS
from tests.contract.write_state import STATES

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Column

    from tests.sweeps import Some


def python_type(column: Column[object]) -> type:
    """The type of a column's values in Python."""
    if isinstance(column.type, tables.UtcDateTime):
        return datetime
    if isinstance(column.type, Boolean):
        return bool
    if isinstance(column.type, tables.CheckedColumn):
        return column.type.expected
    (key,) = column.foreign_keys
    return python_type(key.column)


@pytest.mark.parametrize("table", sqlite_reader.COLUMNS)
def test_it_reads_every_column_of_a_table(table: str) -> None:
    columns = tables.metadata.tables[table].columns
    assert sqlite_reader.COLUMNS[table] == {item.name: python_type(item) for item in columns}
    for item in columns:
        assert item.nullable == (item.name in sqlite_reader.OPTIONAL)


def test_it_reads_what_the_store_reads(path: Path) -> None:
    state = sqlite_reader.load(path)
    assert state is not None
    assert state == open_store(f"sqlite:///{path}").load()
    assert state.resources
    assert state.credential_uses
    assert any(item.fingerprints for item in state.resources)
    assert any(item.last_test and item.last_test.failing_since for item in state.resources)


def test_it_reads_forgotten_resources_that_were_not_recreated(path: Path) -> None:
    insert = (
        "INSERT INTO history (serial, position, uid, kind, name, action, spec, renamed_from)"
        " VALUES (?, ?, ?, 'EmailConnector', ?, ?, NULL, '')"
    )
    with closing(sqlite3.connect(path)) as raw:
        for row in (
            (1, 90, "u1", "gone", "forget"),
            (1, 91, "u2", "back", "forget"),
            (2, 90, "u3", "back", "create"),
        ):
            raw.execute(insert, row)
        raw.commit()
    state = sqlite_reader.load(path)
    assert state is not None
    assert state == open_store(f"sqlite:///{path}").load()
    addresses = [item.address for item in state.forgotten]
    assert Address(Kind.EMAIL_CONNECTOR, "gone") in addresses
    assert Address(Kind.EMAIL_CONNECTOR, "back") not in addresses


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column) for table, columns in sqlite_reader.COLUMNS.items() for column in columns],
)
def test_it_leaves_damage_to_the_store(path: Path, table: str, column: str, some: Some) -> None:
    before = path.read_bytes()
    for value in some((*WRONG, None, "", -1, "🙂")):
        path.write_bytes(before)
        if not damage(path, f'UPDATE "{table}" SET "{column}" = ?', value):
            continue
        try:
            expected = open_store(f"sqlite:///{path}").load()
        except StateError:
            assert sqlite_reader.load(path) is None, value
        else:
            assert sqlite_reader.load(path) in (expected, None), value


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_it_leaves_other_schemas_to_the_store(version: str, path: Path) -> None:
    shutil.copyfile(STATES / f"{version}.db", path)
    assert sqlite_reader.load(path) is None
    shutil.copyfile(STATES / f"{schema_version.SCHEMA_VERSION}.db", path)
    assert damage(path, "UPDATE alembic_version SET version_num = '9999'")
    assert sqlite_reader.load(path) is None


def test_it_leaves_an_incomplete_file_to_the_store(path: Path) -> None:
    content = path.read_bytes()
    for broken in (b"", content[:-1], content[:512], b"no database", content.replace(b"m", b"\0")):
        path.write_bytes(broken)
        assert sqlite_reader.load(path) is None
    path.unlink()
    assert sqlite_reader.load(path) is None
    path.mkdir()
    assert sqlite_reader.load(path) is None


def test_it_leaves_a_file_behind_as_it_was(path: Path) -> None:
    before = path.read_bytes()
    assert sqlite_reader.load(path) is not None
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["state.db"]


def test_it_refuses_a_file_that_others_could_have_planted(tmp_path: Path, path: Path) -> None:
    folder = tmp_path / ".reconciler"
    folder.mkdir(mode=0o700)
    (folder / "state.db").symlink_to(path)
    with pytest.raises(StateUnavailable):
        sqlite_reader.newest(f"sqlite:///{folder}/state.db")


def test_a_state_on_a_server_is_left_to_the_store() -> None:
    assert sqlite_reader.newest("postgresql://nobody@127.0.0.1:1/none") is None
