"""The location of a state, parsed from the ``state`` setting without loading a driver."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.model.state_url import PostgresqlUrl

_HINT = "write sqlite:///.reconciler/state.db or postgresql://user@host/database"


class SqliteLocation(Struct, frozen=True):
    """A SQLite file. ``path`` is as written, relative to the working directory."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def real_path(self) -> Path:
        """The path of the file itself, with symbolic links followed."""
        return Path(os.path.realpath(self.path))


class PostgresqlLocation(Struct, frozen=True):
    """A database on a server."""

    url: PostgresqlUrl

    def __str__(self) -> str:
        return self.url.shown


Location = SqliteLocation | PostgresqlLocation
"""All kinds of location."""


def locate(url: str) -> Location:
    """Read a state URL: ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://…``.

    Raises UsageError, which never repeats the URL because it may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        return _sqlite(rest)
    from reconciler.model.state_url import parse  # noqa: PLC0415 - a file needs none of it

    try:
        found = parse(url)
    except ValueError:
        raise UsageError(
            "the state URL cannot be read as a URL",
            hint=f"{_HINT}; in a name or a password, write : / ? # @ as %3A %2F %3F %23 %40",
        ) from None
    if found is not None:
        return PostgresqlLocation(found)
    raise UsageError("the state URL is neither sqlite:///PATH nor postgresql://…", hint=_HINT)


def _sqlite(rest: str) -> SqliteLocation:
    path, question_mark, _ = rest.partition("?")
    if question_mark:
        raise UsageError("the state URL of a SQLite file takes no options", hint=_HINT)
    if not path.startswith("/") or path in ("/", "/:memory:"):
        raise UsageError("the state URL names no file after sqlite:///", hint=_HINT)
    return SqliteLocation(Path(path[1:]))
