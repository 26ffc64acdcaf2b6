"""Rows that are written together, and how many."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, create_engine, event, insert, select

from reconciler.state.sql.streaming import write_many

NUMBERS = Table("numbers", MetaData(), Column("number", Integer))


def test_a_server_gets_the_first_of_many_rows_before_all_are_prepared() -> None:
    engine = create_engine("sqlite://")
    NUMBERS.create(engine)
    sizes: list[int] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, rows: Any, *rest: Any) -> None:
        del connection, cursor, statement, rest
        sizes.append(len(rows))

    with engine.begin() as connection:
        write_many(connection, insert(NUMBERS), [])
        assert sizes == []
        write_many(connection, insert(NUMBERS), [{"number": item} for item in range(2500)])
        assert sizes == [1000, 1000, 500]
        assert connection.execute(select(NUMBERS.c.number)).scalars().all() == list(range(2500))
    engine.dispose()
