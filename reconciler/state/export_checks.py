"""Contradictions within an export, which its digest does not reveal.

Values to compare across the whole export are kept in a temporary database, which SQLite deletes.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import StateCorrupt, StateError
from reconciler.model.connector import Connector
from reconciler.model.resource import canonical_json
from reconciler.state import specs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.state.exported import ExportedEntry, ExportedResource, ExportedRevision

AGAIN: Final = "Export it again with `reconciler state export --out FILE`; nothing was written."

_TABLES: Final = """
    PRAGMA journal_mode = OFF;
    PRAGMA cache_size = -4000;
    CREATE TABLE ids (part TEXT, id TEXT, PRIMARY KEY (part, id)) WITHOUT ROWID;
    CREATE TABLE past (uid TEXT PRIMARY KEY, kind TEXT, name TEXT, spec BLOB) WITHOUT ROWID;
    CREATE TABLE now (place INTEGER PRIMARY KEY, uid TEXT, kind TEXT, name TEXT, spec BLOB);
    BEGIN;
"""

_DIFFERENT: Final = (
    "SELECT uid, kind, name, spec FROM past WHERE spec IS NOT NULL EXCEPT SELECT uid, kind, name, spec FROM now",
    "SELECT uid, kind, name, spec FROM now EXCEPT SELECT uid, kind, name, spec FROM past",
    "SELECT uid FROM now GROUP BY uid HAVING count(*) > 1",
)
_REPEATED: Final = (
    "SELECT kind, name FROM now GROUP BY kind, name HAVING count(*) > 1 ORDER BY min(place)"
)

_NAMES: Final = {
    "sent": "an attempt to send",
    "attempts": "an attempt to sign in",
    "credential_uses": "a use of a secret",
}


class ExportChecks:
    """Takes every element, with the parts in any order, and then names the first contradiction.

    Any method raises sqlite3.Error if the temporary database cannot be written.
    """

    def __init__(self, lineage: str, serial: int) -> None:
        self._lineage, self._serial = lineage, serial
        self._scratch = sqlite3.connect("", isolation_level=None)
        self._scratch.executescript(_TABLES)
        self._revisions = 0
        self._last: tuple[int, int] | None = None
        self._flaws: set[str] = set()
        self._first: StateError | None = None

    def close(self) -> None:
        """Delete the temporary database."""
        self._scratch.close()

    def see(self, part: str, items: Sequence[Any]) -> None:
        """Record elements of a part."""
        match part:
            case "revisions":
                self._see_revisions(items)
            case "history":
                self._see_history(items)
            case "resources":
                self._see_resources(items)
            case "sent" | "attempts" | "credential_uses":
                rows = ((part, item.id) for item in items)
                new = self._scratch.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?)", rows)
                if new.rowcount != len(items):
                    self._flaws.add(part)

    def refuse(self) -> None:
        """Raise StateCorrupt for the first contradiction."""
        for problem in self._problems():
            raise _contradiction(problem)

    def _problems(self) -> Iterator[str]:
        if not self._lineage:
            yield "it has no lineage"
        if "revisions" in self._flaws or self._revisions != self._serial:
            yield f"its revisions are not those from 1 to {self._serial}"
        if "order" in self._flaws:
            yield "its history has gaps or is out of order"
        if "serials" in self._flaws:
            yield "its history names revisions that are missing"
        if any(self._scratch.execute(query).fetchone() for query in _DIFFERENT):
            yield "its resources do not match its history"
        if self._first is not None:
            raise self._first
        for part, what in _NAMES.items():
            if part in self._flaws:
                yield f"it contains {what} twice"
        for kind, name in self._scratch.execute(_REPEATED):
            yield f"it contains {kind}.{name} twice"

    def _see_revisions(self, items: Sequence[ExportedRevision]) -> None:
        for item in items:
            self._revisions += 1
            if item.serial != self._revisions:
                self._flaws.add("revisions")

    def _see_history(self, items: Sequence[ExportedEntry]) -> None:
        for item in items:
            last, self._last = self._last, (item.serial, item.position)
            begins = item.position == 0 and (last is None or item.serial > last[0])
            if not begins and (last is None or self._last != (last[0], last[1] + 1)):
                self._flaws.add("order")
            if not 1 <= item.serial <= self._serial:
                self._flaws.add("serials")
        rows = ((item.uid, item.kind, item.name, _digest(item.spec)) for item in items)
        self._scratch.executemany("INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?)", rows)

    def _see_resources(self, items: Sequence[ExportedResource]) -> None:
        rows = ((item.uid, item.kind, item.name, _digest(item.spec)) for item in items)
        add = "INSERT INTO now (uid, kind, name, spec) VALUES (?, ?, ?, ?)"
        self._scratch.executemany(add, rows)
        for item in items:
            if self._first is None:
                self._first = self._problem_of(item)

    def _problem_of(self, item: ExportedResource) -> StateError | None:
        try:
            address = specs.address_of(item.kind, item.name)
            resource = specs.read(address, canonical_json(item.spec))
        except StateError as error:
            return error
        known = (
            {str(reference) for reference in resource.references}
            if isinstance(resource, Connector)
            else set()
        )
        marks = [mark.reference for mark in item.fingerprints]
        problem = ""
        if not known.issuperset(marks):
            problem = "has a fingerprint of a secret that it does not refer to"
        elif len(set(marks)) != len(marks):
            problem = "has a fingerprint twice"
        elif item.last_test is not None and not isinstance(resource, Connector):
            problem = "has a test result, but is not a connector"
        elif not 1 <= item.modified_serial <= self._serial:
            problem = "was modified in a revision that is missing"
        return _contradiction(f"{address} {problem}") if problem else None


def _contradiction(problem: str) -> StateCorrupt:
    return StateCorrupt(f"the export contradicts itself: {problem}", hint=AGAIN)


def _digest(spec: dict[str, Any] | None) -> bytes | None:
    return None if spec is None else hashlib.sha256(canonical_json(spec).encode()).digest()
