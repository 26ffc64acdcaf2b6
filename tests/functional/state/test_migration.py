"""The migration of a state that several processes open at once, or that the disk has no room for."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from reconciler.state import schema_version
from reconciler.state.sql import schema
from reconciler.state.sql.store import open_store
from tests.contract.write_state import STATES

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

Start = Callable[..., "subprocess.Popen[str]"]

FIRST = STATES / "0001.db"
BACKUP = "state.db.schema-0001.bak"


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def test_of_several_processes_one_migrates_and_the_others_go_on(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "state.db"
    shutil.copy(FIRST, path)
    processes = [start("migrate", f"sqlite:///{path}") for _ in range(4)]
    for process in processes:
        ready(process)
    for process in processes:
        go(process)
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert (output, errors) == ("read 3\n", "")
    # A second backup would be of the new schema, in the place of the old one.
    with closing(sqlite3.connect(tmp_path / BACKUP)) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    # If the last two close at the same instant, SQLite leaves its log for the next one to take up.
    left = {item.name for item in tmp_path.iterdir()} - {"state.db-wal", "state.db-shm"}
    assert left == {"state.db", BACKUP}


@pytest.mark.server
def test_of_several_processes_one_migrates_a_database(
    start: Start, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    with psycopg.connect(postgresql_url) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("DROP SCHEMA IF EXISTS reconciler CASCADE")
    with monkeypatch.context() as older:
        older.setattr(schema_version, "SCHEMA_VERSION", "0001")
        older.setattr(schema, "create", schema.migrate)
        with open_store(postgresql_url).lock(holder="ada", operation="create"):
            pass
    processes = [start("migrate", postgresql_url) for _ in range(4)]
    for process in processes:
        ready(process)
    for process in processes:
        go(process)
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert (output, errors) == ("read 0\n", "")
    with psycopg.connect(postgresql_url) as connection:
        found = connection.execute("SELECT version_num FROM reconciler.alembic_version").fetchall()
    assert found == [(schema_version.SCHEMA_VERSION,)]


def test_a_disk_too_full_for_the_backup_leaves_the_state_as_it_was(
    start: Start, small_disk: Path
) -> None:
    path = small_disk / "state.db"
    shutil.copy(FIRST, path)
    ballast = small_disk / "ballast"
    process = start("migrate", f"sqlite:///{path}")
    ready(process)
    # What is left is enough for SQLite's log and index, and not for a copy.
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - 64 * 1024)
    go(process)
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert output.startswith("StateUnavailable: ")
    assert f"the disk at {small_disk} is full" in output
    assert path.read_bytes() == FIRST.read_bytes()
    assert sorted(item.name for item in small_disk.iterdir()) == ["ballast", "state.db"]
    ballast.unlink()
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    assert store.load().serial == 3
