"""The schema of a state, and its migration to this release's."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, insert, select

from reconciler.errors import StateCorrupt, StateTooNew, StateUnavailable
from reconciler.state.schema_version import SCHEMA_VERSION
from reconciler.state.sql import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection, Insert

    from reconciler.state.location import Location

CURRENT = SCHEMA_VERSION

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


def version(connection: Connection, schema: str | None = None) -> str | None:
    """The revision of a state's schema, or None if it has none."""
    if not connection.dialect.has_table(connection, VERSION_TABLE, schema=schema):
        return None
    return connection.execute(select(_version(schema))).scalar()


def is_current(found: str, location: Location) -> bool:
    """Whether this release can use that revision as it is; False if it has to be migrated first.

    Raises StateTooNew, or StateCorrupt for a revision that no release has ever written.
    """
    if found == CURRENT:
        return True
    if not (found.isdecimal() and len(found) == len(CURRENT)):
        raise StateCorrupt(
            f"{location} holds no state: its schema is called {found[:40]!r}",
            hint="set the right state URL",
        )
    if found > CURRENT:
        raise StateTooNew(
            f"{location} was written by a newer release (schema {found}; this one knows {CURRENT})",
            hint="upgrade reconciler here as well; a newer state is never changed by an older release",
        )
    return False


def older(location: Location) -> StateUnavailable:
    """Refuse a state of an older release: reading never migrates a shared state."""
    return StateUnavailable(
        f"{location} was written by an older release and must be migrated first",
        hint="the next apply migrates it; to do so now, where this user may write: reconciler state migrate",
    )


def create(connection: Connection) -> None:
    """Create an empty state of this release, as the migrations would, within the caller's transaction."""
    tables.metadata.create_all(connection, checkfirst=False)
    for statement in first_rows():
        connection.execute(statement)
    made = _version(None)
    made.create(connection, checkfirst=False)
    connection.execute(insert(made), [{"version_num": CURRENT}])


def first_rows() -> tuple[Insert, ...]:
    """Statements that insert the rows of an empty state."""
    free = {"id": 1, "token": "", "holder": "", "operation": "", "host": ""}
    return (
        insert(tables.meta).values(id=1, lineage="", serial=0),
        insert(tables.lock).values(**free),
    )


def migrate(connection: Connection) -> None:
    """Bring a state to CURRENT, from nothing too, within the caller's transaction."""
    from alembic import command  # noqa: PLC0415 - takes 100 ms, and a current state never needs it
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with _ALONE:
        command.upgrade(config, CURRENT)
