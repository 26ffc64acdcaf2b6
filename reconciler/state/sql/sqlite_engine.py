"""SQLAlchemy on the file of a SQLite state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine


def engine(creator: Callable[[], sqlite3.Connection], begin: str) -> Engine:
    """An engine whose connections are those of ``creator``, and whose transactions start with ``begin``."""
    made = create_engine("sqlite://", creator=creator, poolclass=NullPool)

    # The driver begins transactions only at the first write, and never around DDL:
    # https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
    @event.listens_for(made, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return made
