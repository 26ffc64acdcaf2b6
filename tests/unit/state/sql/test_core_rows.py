"""Rows that are written together, and how many."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, event

from reconciler.state.sql import tables
from reconciler.state.sql.core_rows import CoreRows


def test_a_server_gets_the_first_of_many_rows_before_all_are_prepared() -> None:
    engine = create_engine("sqlite://")
    tables.fingerprints.create(engine)
    sizes: list[int] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, rows: Any, *rest: Any) -> None:
        del connection, cursor, statement, rest
        sizes.append(len(rows))

    with engine.begin() as connection:
        rows = CoreRows(connection, lambda: datetime.now(UTC))
        rows.insert("fingerprints", [])
        assert sizes == []
        mark = {"reference": "env:A", "key_id": "1", "mac": "2"}
        rows.insert("fingerprints", ({"uid": str(item), **mark} for item in range(2500)))
        assert sizes == [1000, 1000, 500]
        assert rows.count("fingerprints") == 2500
    engine.dispose()
