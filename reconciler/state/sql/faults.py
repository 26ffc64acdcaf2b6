"""Failures of a database, as errors of the state.

SQLite's result codes: https://www.sqlite.org/rescode.html. PostgreSQL's SQLSTATE codes:
https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import contextmanager
from errno import ENOSPC
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.disk_fault import look_for_fault, look_for_lock_fault
from reconciler.errors import (
    StateConflict,
    StateCorrupt,
    StateError,
    StateLocked,
    StateUnavailable,
)
from reconciler.signals import deferred
from reconciler.state.folder import unavailable
from reconciler.state.location import PostgresqlLocation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.state.location import Location

# It logs what it cannot raise, with a traceback: that a connection was not closed, after a second signal. An
# application's handlers get that; without any, Python would write it to standard error.
logging.getLogger("sqlalchemy").addHandler(logging.NullHandler())

BACKUP = (
    "restore it from a backup; `reconciler state export --salvage` writes what can still be read"
)

LOOK = "once the database is back, `reconciler history` shows whether the revision was written"
WAY_OUT = "restore the state from a backup; `reconciler state check` lists everything that is wrong"


class BrokenOff(StateUnavailable):
    """The database cannot be reached, or no longer: the outcome of a transaction is unknown."""


class _Fault(Struct, frozen=True):
    """What the codes that start with ``codes`` mean; ``{text}`` is the database's own message."""

    codes: tuple[str, ...]
    error: type[StateError]
    message: str
    hint: str


_SQLITE: tuple[_Fault, ...] = (
    _Fault(
        ("SQLITE_NOTADB",),
        StateCorrupt,
        "is not a state: it is not a SQLite database",
        "set the right state URL, or restore the file from a backup",
    ),
    _Fault(("SQLITE_CORRUPT",), StateCorrupt, "is damaged: {text}", BACKUP),
    _Fault(
        ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"),
        StateLocked,
        "is locked: another process is writing to it and did not finish in time",
        "try again; if it stays locked, find the process with: fuser FILE",
    ),
    _Fault(
        ("SQLITE_FULL",),
        StateUnavailable,
        "cannot be written: the disk is full",
        "free some space and run the command again",
    ),
    _Fault(
        ("SQLITE_READONLY",),
        StateUnavailable,
        "cannot be written: the file or its folder is read-only for this user",
        "run as the user who owns the state, or give this one the right to write",
    ),
    _Fault(
        ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"),
        StateUnavailable,
        "cannot be opened by this user",
        "run as the user who owns the state, or give this one the rights to it",
    ),
    _Fault(
        ("SQLITE_NOMEM", "SQLITE_IOERR_NOMEM"),
        StateUnavailable,
        "cannot be read or written: there is not enough memory",
        "give the process more memory and run the command again",
    ),
    _Fault(
        ("SQLITE_IOERR",),
        StateUnavailable,
        "cannot be read or written: {text}",
        "check the disk, its quota and the limit on file sizes (ulimit -f); an unfinished revision "
        "leaves no trace",
    ),
    _Fault(("",), StateCorrupt, "is not a valid state: {text}", BACKUP),
)

# If a connection fails, libpq has no SQLSTATE.
_UNTOLD = "no password"
_REFUSED = "refused"

_POSTGRESQL: tuple[_Fault, ...] = (
    _Fault(
        ("40001", "40P01"),
        StateConflict,
        "changed while it was being written: another transaction came in between",
        "run the command again",
    ),
    _Fault(
        ("55P03", "57014"),
        StateLocked,
        "is locked: another transaction holds it and did not finish in time",
        "try again; pg_stat_activity shows which one",
    ),
    _Fault(
        ("42P01", "42703", "XX001", "XX002"),
        StateCorrupt,
        "is not a valid state: {text}",
        "restore the database from a backup",
    ),
    _Fault(
        ("42501",),
        StateUnavailable,
        "does not let this user do that: {text}",
        "grant the user rights on the schema reconciler; if it does not exist yet, have an administrator create it: "
        "CREATE SCHEMA reconciler AUTHORIZATION the_writer",
    ),
    _Fault(
        ("25006",),
        StateUnavailable,
        "is read-only here: {text}",
        "if this is a replica, connect to the primary server, otherwise find out why default_transaction_read_only is on for this user or database",
    ),
    _Fault(
        ("28P01", _REFUSED),
        StateUnavailable,
        "does not let this user sign in: {text}",
        "check the password from state_password in reconciler.yaml, PGPASSWORD or ~/.pgpass",
    ),
    _Fault(
        (_UNTOLD,),
        StateUnavailable,
        "asks for a password, but none is set",
        "set state_password in reconciler.yaml to a reference such as env:STATE_PASSWORD, or use "
        "PGPASSWORD or ~/.pgpass",
    ),
    _Fault(
        ("57P", "08", "25P03"),
        BrokenOff,
        "dropped the connection: {text}",
        "try again when the server is up; a transaction that was not finished leaves no trace",
    ),
    _Fault(
        ("53100",),
        StateUnavailable,
        "cannot be written: the server's disk is full",
        "free some space there and run the command again",
    ),
    _Fault(
        ("",),
        BrokenOff,
        "cannot be reached or used: {text}",
        "check the state URL, the network and the server's log",
    ),
)


@contextmanager
def translated(location: Location) -> Iterator[None]:
    """Turn every failure of the database within the block into a StateError, and defer signals.

    The original is not chained, since its text contains the statement and its parameters.
    SQLAlchemy and the drivers do not survive an exception from a signal handler, so that is raised
    at the end of the block.
    """
    try:
        with deferred():
            yield
    except OverflowError:
        raise StateCorrupt(
            f"{location} is damaged: it holds a number that is too large", hint=BACKUP
        ) from None
    except UnicodeDecodeError:  # SQLite's message repeats a name from a damaged list of tables
        raise StateCorrupt(
            f"{location} is damaged: its list of tables cannot be read", hint=BACKUP
        ) from None
    except Exception as error:
        cause = _of_driver(error)
        if cause is None:
            raise
        raise _translate(location, cause) from None


def _of_driver(error: Exception) -> Exception | None:
    """The error of SQLite's driver or of psycopg, which SQLAlchemy wraps; None for any other.

    Neither SQLAlchemy nor psycopg is loaded to recognise it.
    """
    cause = getattr(error, "orig", error)
    return cause if isinstance(cause, sqlite3.Error) or hasattr(cause, "sqlstate") else None


def _translate(location: Location, error: Exception) -> StateError:
    if isinstance(error, sqlite3.Error):
        known, code = _SQLITE, getattr(error, "sqlite_errorname", "")
        if found := _system_fault(location, code):
            return found
    else:
        known, code = _POSTGRESQL, getattr(error, "sqlstate", None) or _connecting(error)
    fault = next(fault for fault in known if code.startswith(fault.codes))
    # PostgreSQL's own sentence, without the statement that it quotes beneath.
    said = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    text = " ".join(said.split())[:300]
    return fault.error(f"{location} {fault.message.format(text=text)}", hint=fault.hint)


_OF_SYSTEM = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")
_OF_LOCKS = ("SQLITE_BUSY", "SQLITE_PROTOCOL", "SQLITE_IOERR_LOCK", "SQLITE_IOERR_RDLOCK")


def _system_fault(location: Location, code: str) -> StateError | None:
    """The error of the system behind one of SQLite, which does not pass it on; None if there is none."""
    if isinstance(location, PostgresqlLocation):
        return None
    path, found = location.real_path, None
    if code.startswith(_OF_LOCKS):
        found = look_for_lock_fault(path.parent)
        if found is not None:
            return unavailable(location.path, "locked", found)
    if code.startswith(_OF_SYSTEM):
        # The transaction was rolled back, so there may be space again by now.
        found = look_for_fault(path) or (OSError(ENOSPC, "") if code == "SQLITE_FULL" else None)
    verb = "written" if code.startswith(("SQLITE_FULL", "SQLITE_READONLY")) else "read or written"
    return unavailable(location.path, verb, found) if found is not None else None


def _connecting(error: Exception) -> str:
    """The driver's message about a connection that failed."""
    if getattr(getattr(error, "pgconn", None), "needs_password", False):
        return _UNTOLD
    return _REFUSED if "password authentication failed" in str(error) else ""
