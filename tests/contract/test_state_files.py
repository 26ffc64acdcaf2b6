"""A state of every schema that was ever released opens with this release, and nothing of it is lost."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.address import Address, Kind
from reconciler.state import schema_version
from reconciler.state.sql import schema
from reconciler.state.sql.store import open_store
from tests.contract.write_state import NOON, STATES, everything

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.model.snapshot import LastTest, StoredState

# What SQLite has no type for.
READ: dict[str, Callable[[Any], object]] = {
    "at": datetime.fromisoformat,
    "failing_since": lambda text: text and datetime.fromisoformat(text),
    "created_at": datetime.fromisoformat,
    "modified_at": datetime.fromisoformat,
    "passed": bool,
}
VERSIONS = sorted(path.stem for path in STATES.glob("*.db"))
# What PostgreSQL needs to take rows over: parents before those that refer to them.
TABLES = (
    "revisions", "resources", "history", "fingerprints", "tests", "sent", "attempts",
    "credential_uses",
)  # fmt: skip


def contains(now: Any, then: Any) -> bool:
    """Whether everything of ``then`` is in ``now``, which may know more about it."""
    if isinstance(then, dict):
        return all(name in now and contains(now[name], value) for name, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(contains, now, then))
    return bool(now == then)


def expected(version: str) -> Any:
    return json.loads((STATES / f"{version}.json").read_text(encoding="utf-8"))


def last_test(state: StoredState, name: str) -> LastTest:
    found = state.stored(Address(Kind.EMAIL_CONNECTOR, name))
    assert found is not None
    assert found.last_test is not None
    return found.last_test


def test_there_is_a_state_of_every_schema() -> None:
    scripts = (schema.SCRIPTS / "versions").glob("v[0-9]*.py")
    assert sorted(path.name[1:5] for path in scripts) == VERSIONS
    assert VERSIONS[-1] == schema_version.SCHEMA_VERSION


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_file_opens_and_nothing_is_lost(version: str, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    shutil.copy(STATES / f"{version}.db", path)
    store = open_store(f"sqlite:///{path}")
    assert store.migrate() is (version != schema_version.SCHEMA_VERSION)
    now, then = everything(store), expected(version)
    assert contains(now, then)
    assert not contains(then, now) or version == schema_version.SCHEMA_VERSION
    with store.lock(holder="ada", operation="apply"):
        assert store.load().serial == then["serial"]
    backup = tmp_path / f"state.db.schema-{version}.bak"
    if version != schema_version.SCHEMA_VERSION:
        assert backup.stat().st_mode & 0o777 == 0o600
        with (
            closing(sqlite3.connect(backup)) as copy,
            closing(sqlite3.connect(STATES / f"{version}.db")) as original,
        ):
            assert list(copy.iterdump()) == list(original.iterdump())
    else:
        assert not backup.exists()


def test_a_connector_that_failed_has_failed_since_its_last_test(tmp_path: Path) -> None:
    shutil.copy(STATES / "0001.db", tmp_path / "state.db")
    store = open_store(f"sqlite:///{tmp_path}/state.db")
    store.migrate()
    failed = last_test(store.load(), "support")
    assert failed.failing_since == NOON
    assert failed.facts == {}


@pytest.mark.server
@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_a_state_in_postgresql_is_migrated_with_the_same_rows(
    version: str, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    with psycopg.connect(postgresql_url) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("DROP SCHEMA IF EXISTS reconciler CASCADE")
    with monkeypatch.context() as older:
        older.setattr(schema_version, "SCHEMA_VERSION", version)
        older.setattr(schema, "create", schema.migrate)
        with open_store(postgresql_url).lock(holder="ada", operation="create"):
            pass
    with (
        closing(sqlite3.connect(STATES / f"{version}.db")) as source,
        psycopg.connect(postgresql_url) as target,
    ):
        target.execute("SET search_path = reconciler")
        (lineage, serial) = source.execute("SELECT lineage, serial FROM meta").fetchone()
        target.execute("UPDATE meta SET lineage = %s, serial = %s", (lineage, serial))
        if version >= "0003":
            settings = source.execute("SELECT settings FROM meta").fetchone()
            target.execute("UPDATE meta SET settings = %s", settings)
        there = {name for (name,) in source.execute("SELECT name FROM sqlite_schema")}
        for table in filter(there.__contains__, TABLES):
            rows = source.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in rows.description]
            marks = ", ".join(["%s"] * len(names))
            for row in rows:
                values = [
                    READ[name](value) if name in READ else value
                    for name, value in zip(names, row, strict=True)
                ]
                target.execute(f"INSERT INTO {table} VALUES ({marks})", values)
    store = open_store(postgresql_url)
    assert store.migrate()
    assert contains(everything(store), expected(version))
