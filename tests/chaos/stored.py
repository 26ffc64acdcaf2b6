"""Reads a state without any code of the product: with plain SQL, through the drivers themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_REVISIONS = "SELECT serial, actor FROM {}revisions ORDER BY serial"
_META = "SELECT lineage, serial FROM {}meta"
_LOCK = "SELECT token FROM {}lock"
_SENT = "SELECT id, message_id, result FROM {}sent ORDER BY id"


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The content of the tables: who wrote which serial, the lease's token, and the result of each mail."""

    serial: int
    revisions: tuple[tuple[int, str], ...]
    token: str
    sent: Mapping[str, tuple[str, ...]]

    def written_by(self, actor: str, after: int) -> tuple[int, ...]:
        """The serials of a user's revisions."""
        return tuple(serial for serial, who in self.revisions if who == actor and serial > after)


NOTHING: Final = StoredRows(0, (), "", {})


def read(url: str) -> StoredRows:
    """Read a state by its URL; a state that was never made is empty."""
    if url.startswith("sqlite:"):
        path = Path(url.removeprefix("sqlite:///"))
        if not path.exists():
            return NOTHING
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sent'").fetchall():
                return NOTHING
            return _rows(connection, "")
    import psycopg

    with psycopg.connect(url) as database:
        if database.execute("SELECT to_regclass('reconciler.sent')").fetchone() == (None,):
            return NOTHING
        return _rows(database, "reconciler.")


def _rows(connection: Any, schema: str) -> StoredRows:
    meta = connection.execute(_META.format(schema)).fetchall()
    tokens = connection.execute(_LOCK.format(schema)).fetchall()
    endings: dict[str, tuple[str, str]] = {}
    for identifier, message_id, result in connection.execute(_SENT.format(schema)).fetchall():
        # An entry with a plus says how the attempt of the same name ended, and comes after it.
        endings[identifier.rstrip("+")] = (message_id, result)
    sent: dict[str, tuple[str, ...]] = {}
    for message_id, result in endings.values():
        sent[message_id] = (*sent.get(message_id, ()), result)
    return StoredRows(
        serial=meta[0][1] if meta else 0,
        revisions=tuple(connection.execute(_REVISIONS.format(schema)).fetchall()),
        token=tokens[0][0] if tokens else "",
        sent=sent,
    )
