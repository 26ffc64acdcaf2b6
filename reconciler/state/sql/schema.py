"""The schema of a state, and its migration to this release's."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, insert, select

from reconciler.state import schema_version
from reconciler.state.sql import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection, Insert

SCRIPTS = Path(__file__).parent.parent / "migrations"
VERSION_TABLE = "alembic_version"

# Alembic's `op` and `context` are global to the process.
_ALONE = threading.Lock()


@cache
def _version(schema: str | None) -> Table:
    return Table(
        VERSION_TABLE,
        MetaData(schema=schema),
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
    )


def version(connection: Connection, schema: str) -> str | None:
    """The revision of a state's schema, or None if it has none."""
    if not connection.dialect.has_table(connection, VERSION_TABLE, schema=schema):
        return None
    return connection.execute(select(_version(schema))).scalar()


def create(connection: Connection) -> None:
    """Create an empty state of this release, as the migrations would, within the caller's transaction.

    A SQLite file is created by ``sqlite_schema.sql``, which holds the same.
    """
    tables.metadata.create_all(connection, checkfirst=False)
    for statement in first_rows():
        connection.execute(statement)
    made = _version(None)
    made.create(connection, checkfirst=False)
    connection.execute(insert(made), [{"version_num": schema_version.SCHEMA_VERSION}])


def first_rows() -> tuple[Insert, ...]:
    """Statements that insert the rows of an empty state."""
    free = {"id": 1, "token": "", "holder": "", "operation": "", "host": ""}
    return (
        insert(tables.meta).values(id=1, lineage="", serial=0),
        insert(tables.lock).values(**free),
    )


def migrate(connection: Connection) -> None:
    """Bring a state to schema_version.SCHEMA_VERSION, from nothing too, within the caller's transaction."""
    from alembic import command  # noqa: PLC0415 - takes 100 ms, and a current state never needs it
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with _ALONE:
        command.upgrade(config, schema_version.SCHEMA_VERSION)
