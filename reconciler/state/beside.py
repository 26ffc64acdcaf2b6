"""Files beside an empty state that suggest the wrong state is in use: a key, a backup, another state."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from reconciler.state.folder import USUAL_NAME
from reconciler.state.key import FILE_NAME
from reconciler.state.location import PostgresqlLocation, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USUAL_FILE = "state.db"
_HEAD = b"SQLite format 3\0"


def lying_beside(state_url: str, home: Path) -> tuple[str, ...]:
    """Describe, in sentences, which files lie beside an empty state, and how to go on.

    ``home`` is the folder of the project. Reads only names and the first octets of files.
    """
    return tuple(_found(state_url, home))


def _found(state_url: str, home: Path) -> Iterator[str]:
    location = locate(state_url)
    usual = home / USUAL_NAME / USUAL_FILE
    if isinstance(location, PostgresqlLocation):
        if _is_database(usual):
            yield _other(usual)
        return
    path = location.path
    states = [item for item in _siblings(path) if _is_database(item)]
    if usual.resolve() != path.resolve() and usual.parent != path.parent and _is_database(usual):
        states.append(usual)
    for item in states:
        if item.name.startswith(f"{path.name}.") and item.suffix == ".bak":
            yield f"{item} is a backup of a state; to restore it: cp {_q(item)} {_q(path)}"
        else:
            yield _other(item)
    key = path.with_name(FILE_NAME)
    if key.is_file() and not path.exists() and not states:
        yield (
            f"{key} is the key of a state that is not there: restore {path.name} from a backup, or move"
            " the key to where the state is now"
        )


def _other(state: Path) -> str:
    return (
        f"another state lies in {state}; to use it: --state {_q(state)}; to move it:"
        f" reconciler state export --state {_q(state)} --out state.json,"
        " then reconciler state import state.json"
    )


def _siblings(path: Path) -> list[Path]:
    try:
        return sorted(item for item in path.parent.iterdir() if item != path)
    except OSError:
        return []


def _is_database(path: Path) -> bool:
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_HEAD)) == _HEAD
    except OSError:
        return False


def _q(path: Path) -> str:
    return shlex.quote(str(path))
