"""What a process that keeps a SQLite state open has written stays there, whatever others do with the file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reconciler.model.directory import Group
from reconciler.model.sending import SendingRecord, SendingResult
from reconciler.plan.changes import Create
from reconciler.state.base import Commit
from reconciler.state.sql.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOOK: Final = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT id FROM sent').fetchall()); c.close()"


def entry(identifier: str) -> SendingRecord:
    return SendingRecord(
        id=identifier, at=NOW, actor="ada", actor_source="--as", result=SendingResult.SENT
    )


def look(path: Path) -> str:
    """Open the file as another process, read the log of sending, and close it."""
    command = [sys.executable, "-c", LOOK, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_what_is_logged_between_two_looks_at_the_state_is_in_the_file(path: Path, url: str) -> None:
    store = open_store(url)
    with store.lock(holder="ada", operation="apply") as lock:
        base = store.load()
        store.commit(
            Commit(base.lineage, base.serial, (Create(Group(name="team")),), NOW, "ada", "os", "", "1", ""),
            token=lock.lease.token,
        )  # fmt: skip
    store.record_sent(entry("first"))  # over a connection that stays open
    store.load()
    assert "first" in look(path)
    store.record_sent(entry("second"))
    assert "second" in look(path), sqlite3.sqlite_version
    store.close()
