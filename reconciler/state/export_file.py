"""An export as a file, verified before use, and never entirely in memory."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from reconciler.errors import StateCorrupt, StateError, StateUnavailable, UsageError
from reconciler.json_values import TooLarge, unstorable
from reconciler.model.validators import validator
from reconciler.state import json_stream
from reconciler.state.export_checks import AGAIN, ExportChecks
from reconciler.state.export_text import Digest
from reconciler.state.exported import FORMAT, PARTS, Part, StateExport, part_adapter
from reconciler.state.json_stream import Member, NotJson, NotUtf8
from reconciler.values import field_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.state.json_stream import Octets

_AT_ONCE: Final = 50
_LONGEST: Final = 1 << 16
"""The maximum number of elements, and of characters, to convert at once."""


class ExportFile:
    """Implements :class:`reconciler.state.exported.WholeState` for a verified file."""

    def __init__(self, source: Octets, head: StateExport, reading: _Reading) -> None:
        self.lineage, self.serial = head.lineage, head.serial
        self.resource_count = reading.resources
        self.has_fingerprints = reading.has_fingerprints
        self._source, self._found = source, reading.found
        self.revisions = self._part("revisions")
        self.resources = self._part("resources")
        self.history = self._part("history")
        self.sent = self._part("sent")
        self.attempts = self._part("attempts")
        self.credential_uses = self._part("credential_uses")
        self.settings = tuple(self._part("settings"))
        self.losses = self._part("losses")

    def _part(self, name: str) -> Part[Any]:
        return Part(partial(self._elements, name))

    def _elements(self, name: str) -> Iterator[Any]:
        if name not in self._found:
            return
        texts = _Texts()
        for _, text in json_stream.elements(self._source, self._found[name].at):
            if texts.add(text):
                yield from part_adapter(name).validate_json(texts.taken())
        yield from part_adapter(name).validate_json(texts.taken())


class _Texts:
    """Collects the texts of elements until there are enough to convert at once."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._length = 0

    def add(self, text: str) -> bool:
        """Add one; return whether there are enough."""
        self._texts.append(text)
        self._length += len(text)
        return len(self._texts) >= _AT_ONCE or self._length >= _LONGEST

    def taken(self) -> str:
        """Remove and return them, as the text of one list."""
        whole = f"[{','.join(self._texts)}]"
        self._texts.clear()
        self._length = 0
        return whole


class _Reading:
    """The verification of an export before its use: the digest, and problems of the elements."""

    def __init__(self, source: Octets, found: dict[str, Member], checks: ExportChecks) -> None:
        self.found = found
        self.invalid: dict[str, str] = {}
        self.resources = 0
        self.has_fingerprints = False
        self._checks = checks
        made = Digest()
        for name in sorted(found.keys() - {"digest"}):
            at = found[name].at
            if not found[name].is_list:
                made.add(name, json_stream.value_at(source, at))
            elif name in PARTS:
                made.add_list(name, self._seen(name, json_stream.elements(source, at)))
            else:
                made.add_list(name, (value for value, _ in json_stream.elements(source, at)))
        self.digest = str(made)

    def _seen(self, name: str, elements: Iterator[tuple[Any, str]]) -> Iterator[Any]:
        texts, done = _Texts(), 0
        for count, (value, text) in enumerate(elements, start=1):
            if texts.add(text):
                self._see(name, texts.taken(), done)
                done = count
            yield value
        self._see(name, texts.taken(), done)

    def _see(self, name: str, text: str, done: int) -> None:
        """Read a portion of the elements of a part, after a number already read."""
        if name in self.invalid:
            return
        try:
            items = part_adapter(name).validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            index, *rest = first["loc"]
            self.invalid[name] = _reason((name, done + int(index), *rest), first["msg"])
            return
        if name == "resources":
            self.resources += len(items)
            self.has_fingerprints |= any(item.fingerprints for item in items)
        self._checks.see(name, items)


def verified(source: Octets) -> ExportFile:
    """Read an export and verify that it is whole.

    Raises UsageError for text that cannot be stored, StateError if the file is not an export,
    StateCorrupt if it was truncated, changed, or contradicts itself.
    """
    found = _members(source)
    if found is None or "lineage" not in found or "format_version" not in found:
        raise StateError("the file is not a state export", hint=AGAIN)
    version = json_stream.value_at(source, found["format_version"].at)
    if version != FORMAT:
        raise StateError(
            f"the file is an export of format {str(version)[:20]}, and this release reads {FORMAT}",
            hint="Export and import with the same release.",
        )
    head = _Head(source, found)
    try:
        with closing(ExportChecks(head.lineage, head.serial)) as checks:
            reading = _Reading(source, found, checks)
            if reading.digest != head.digest:
                raise StateCorrupt("the file was changed after it was exported", hint=AGAIN)
            export = head.validated(reading.invalid)
            checks.refuse()
    except sqlite3.Error as error:
        raise StateUnavailable(
            f"the temporary database in which an export is checked cannot be written: {error}",
            hint="Set SQLITE_TMPDIR to a folder with enough space.",
        ) from None
    return ExportFile(source, export, reading)


def _members(source: Octets) -> dict[str, Member] | None:
    """Find the members of the object; None if this is another document."""
    bad = ""

    def look(value: object) -> None:
        nonlocal bad
        bad = bad or unstorable(value)

    try:
        found = json_stream.members(source, look)
    except NotUtf8 as error:
        raise UsageError(
            f"{source.name} is not UTF-8: the byte at offset {error.offset} belongs to no character"
        ) from None
    except TooLarge:
        raise UsageError(f"{source.name} holds a number of more than 64 bits") from None
    except NotJson:
        raise StateCorrupt(
            "the file is not a complete state export: it is not JSON, or is cut short", hint=AGAIN
        ) from None
    if bad:
        raise UsageError(f"{source.name} holds {bad} in a text")
    return found


class _Head:
    """The members that are not parts, and problems of the overall structure."""

    def __init__(self, source: Octets, found: dict[str, Member]) -> None:
        # A value that is not a list counts as structure, even in a part; elements of lists are read
        # elsewhere.
        self._plain = {
            name: [] if item.is_list else json_stream.value_at(source, item.at)
            for name, item in found.items()
        }
        lineage, serial = self._plain["lineage"], self._plain.get("serial")
        self.lineage = lineage if isinstance(lineage, str) else ""
        self.serial = serial if isinstance(serial, int) else 0
        self.digest = self._plain.get("digest")

    def validated(self, invalid: dict[str, str]) -> StateExport:
        """The export without its elements; raises StateCorrupt for the first member that is invalid.

        ``invalid`` names an invalid element and its part, and the reason.
        """
        reasons = dict(invalid)
        try:
            export = validator(StateExport).validate_json(json.dumps(self._plain))
            if not reasons:
                return export
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False):
                reasons.setdefault(str(item["loc"][0]), _reason(item["loc"], item["msg"]))
        names = (*field_names(StateExport), *self._plain)
        first = next(reasons[name] for name in names if name in reasons)
        raise StateCorrupt(f"the export cannot be read: {first}", hint=AGAIN)


def _reason(place: tuple[int | str, ...], said: str) -> str:
    return f"{'.'.join(map(str, place))}: {said}"
