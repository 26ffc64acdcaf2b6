"""Salvages a damaged state, as an export that can be imported again."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import Boolean

from reconciler.errors import StateError
from reconciler.model.connector import Connector
from reconciler.model.resource import canonical_json
from reconciler.model.sending import SendingRecord, SendingResult
from reconciler.model.sign_in_attempt import AttemptOutcome
from reconciler.state import decoding, specs
from reconciler.state.effects import nothing_to_export
from reconciler.state.exported import (
    ExportedAttempt,
    ExportedCredentialUse,
    ExportedEntry,
    ExportedFingerprint,
    ExportedLoss,
    ExportedResource,
    ExportedRevision,
    ExportedTest,
    StateExport,
)
from reconciler.state.sql import checking, tables
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, Table

    from reconciler.model.resource import Resource
    from reconciler.state.sql.damaged_rows import RowSource

_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ACTOR: Final = "state export --salvage"


class _ReadRow(Struct, frozen=True):
    """A row with its values as Python has them; ``bad`` are the columns that cannot be read."""

    values: dict[str, Any]
    bad: frozenset[str]


class Salvage:
    """Collects the readable rows of a state, and the losses.

    The export is consistent, as an import requires: an unreadable revision is kept with empty fields, a
    resource that cannot be read is taken from its history, and an extra revision records any
    differences between resources and their history.
    """

    def __init__(self, source: RowSource) -> None:
        self._source = source
        self._now = datetime.now(UTC)
        self._losses = [
            ExportedLoss(table="", row="", column="", problem=item) for item in source.problems
        ]
        self._broken: set[str] = set()

    def export(self) -> StateExport:
        """What can be read; raises StateError if nothing can."""
        meta = self._rows(tables.meta)
        revisions = {row.values["serial"]: row for row in self._rows(tables.revisions)
                     if "serial" not in row.bad}  # fmt: skip
        entries = self._whole(tables.history)
        newest = self._newest(meta, [*revisions, *(item["serial"] for item in entries)])
        if not newest:
            raise nothing_to_export()
        past = self._history(entries, newest)
        left = {item.uid: item for item in past}
        live = self._resources(
            left, {item: self._at(revisions.get(item)) for item in revisions}, newest
        )
        stored = tuple(sorted(live.values(), key=lambda item: (item.kind, item.name)))
        stored = self._with_marks(stored)
        sent = {item["id"]: _sending(item) for item in self._whole(tables.sent)}
        attempts = {item["id"]: _attempt(item) for item in self._whole(tables.attempts)}
        uses = {item["id"]: ExportedCredentialUse(**item)
                for item in self._whole(tables.credential_uses)}  # fmt: skip
        kept = self._revisions(revisions, newest)
        if not self._losses:
            self._compare_digests()
        settled = self._settling(left, live, newest + 1) if self._losses else ()
        if self._losses:
            # Digests of the original prove nothing about the remains; an import recomputes them.
            kept = (*(replace(item, chain="") for item in kept), self._last(newest + 1, settled))
        return StateExport(
            lineage=self._lineage(meta),
            serial=len(kept),
            revisions=kept,
            resources=stored,
            history=(*past, *settled),
            sent=tuple(sorted(sent.values(), key=lambda item: (item.at, item.id))),
            attempts=tuple(sorted(attempts.values(), key=lambda item: (item.at, item.id))),
            credential_uses=tuple(sorted(uses.values(), key=lambda item: (item.at, item.id))),
            settings=decoding.settings(meta[0].values["settings"])
            if meta and "settings" not in meta[0].bad
            else (),
            losses=tuple(self._losses),
        )

    def _compare_digests(self) -> None:
        try:
            broken = self._source.broken_links()
        except StateError as error:
            self._lose("revisions", "", "chain", error.message)
            return
        for serial in broken[:1]:
            why = "does not match its digest: it, or one before it, was changed"
            self._lose("revisions", f"serial {str(serial)!r}", "chain", why)

    def _lose(self, of: str, row: str, name: str, problem: str) -> None:
        self._losses.append(ExportedLoss(table=of, row=row, column=name, problem=problem))

    def _rows(self, of: Table) -> list[_ReadRow]:
        """The rows of a table that the database can still find, with the columns that are bad."""
        found = []
        for raw in self._found(of):
            values, bad = {}, set()
            row = ", ".join(f"{key.name} {_shown(raw[key.name])}" for key in of.primary_key)
            for item in of.columns:
                value = raw[item.name]
                problem = checking.value_problem(of, item, value)
                if isinstance(value, str) and _NO_TEXT.search(value):
                    problem = "expected text"
                if problem:
                    bad.add(item.name)
                    self._lose(of.name, row, item.name, problem)
                else:
                    values[item.name] = _python(item, value)
            found.append(_ReadRow(values, frozenset(bad)))
        return found

    def _whole(self, of: Table) -> list[dict[str, Any]]:
        return [row.values for row in self._rows(of) if not row.bad]

    def _found(self, of: Table) -> Iterable[dict[str, Any]]:
        """The rows of a table, with a loss if some cannot be found."""
        found = self._source.rows(of)
        if found.problem:
            self._broken.add(of.name)
            self._lose(of.name, "", "", f"some rows may be missing: {found.problem}")
        return found.rows

    def _newest(self, meta: list[_ReadRow], serials: list[int]) -> int:
        """The newest plausible serial: a damaged one may be huge."""
        told = meta[0].values.get("serial", 0) if len(meta) == 1 else 0
        if len(meta) != 1 and not self._broken:
            self._lose("meta", "", "", f"{len(meta)} rows: expected 1")
        most = 2 * len(serials) + 10
        if told > most:
            self._lose("meta", "id '1'", "serial", f"{told} cannot be the newest revision")
        if 0 < told <= most:
            return int(told)
        return max((item for item in serials if 0 < item <= most), default=0)

    def _lineage(self, meta: list[_ReadRow]) -> str:
        told = meta[0].values.get("lineage") if meta else None
        return str(told) if told else uuid.uuid4().hex

    def _at(self, row: _ReadRow | None) -> datetime:
        return row.values.get("at", _EPOCH) if row else _EPOCH

    def _revisions(self, found: dict[int, _ReadRow], newest: int) -> tuple[ExportedRevision, ...]:
        kept: list[ExportedRevision] = []
        empty = {"actor": "", "actor_source": "", "git_commit": "", "tool_version": "", "plan_digest": "",
                 "added": 0, "changed": 0, "destroyed": 0, "note": "", "chain": ""}  # fmt: skip
        for serial in range(1, newest + 1):
            row = found.get(serial)
            if row is None:
                self._lose("revisions", f"serial {str(serial)!r}", "", "missing")
            before = kept[-1].at if kept else _EPOCH
            values = row.values if row else {"note": "lost"}
            kept.append(ExportedRevision(**{**empty, "at": before, "serial": serial, **values}))
        for serial in sorted(set(found).difference(range(1, newest + 1))):
            self._lose("revisions", f"serial {str(serial)!r}", "", "beyond the newest revision")
        return tuple(kept)

    def _history(self, entries: list[dict[str, Any]], newest: int) -> tuple[ExportedEntry, ...]:
        kept: list[ExportedEntry] = []
        for item in sorted(entries, key=lambda entry: (entry["serial"], entry["position"])):
            row = f"serial {str(item['serial'])!r}, position {str(item['position'])!r}"
            if not 1 <= item["serial"] <= newest:
                self._lose("history", row, "serial", "names a revision that does not exist")
                continue
            if item["spec"] is not None:
                try:
                    specs.read(specs.address_of(item["kind"], item["name"]), item["spec"])
                except StateError as error:
                    self._lose("history", row, "spec", error.message)
                    continue
            before = kept[-1] if kept else None
            place = before.position + 1 if before and before.serial == item["serial"] else 0
            if place != item["position"]:
                self._lose(
                    "history", row, "position", f"expected {place}: one before it is missing"
                )
            spec = None if item["spec"] is None else json.loads(item["spec"])
            kept.append(ExportedEntry(**{**item, "position": place, "spec": spec}))
        return tuple(kept)

    def _resources(
        self, left: dict[str, ExportedEntry], times: dict[int, datetime], newest: int
    ) -> dict[str, ExportedResource]:
        live: dict[str, ExportedResource] = {}
        doubtful: set[str] = set()
        taken: set[tuple[str, str]] = set()
        for row in self._rows(tables.resources):
            values = row.values
            if row.bad:
                if "uid" in row.bad:
                    self._broken.add("resources")
                else:
                    doubtful.add(values["uid"])
                continue
            uid, spec, mark = values["uid"], values.pop("spec"), values.pop("digest")
            address = specs.address_of(values["kind"], values["name"])
            try:
                specs.decode(address, spec, mark)
            except StateError as error:
                doubtful.add(uid)
                self._lose("resources", f"uid {uid!r}", "spec", error.message)
                continue
            taken.add((values["kind"], values["name"]))
            if not 1 <= values["modified_serial"] <= newest:
                self._lose("resources", f"uid {uid!r}", "modified_serial", "no such revision")
                values["modified_serial"] = newest
            live[uid] = ExportedResource(**values, spec=json.loads(spec))
        for uid, entry in left.items():
            # A resource that is not among rows that could all be read was deleted.
            doubted = uid in doubtful or "resources" in self._broken
            if (
                uid in live
                or entry.spec is None
                or not doubted
                or (entry.kind, entry.name) in taken
            ):
                continue
            at = times.get(entry.serial, _EPOCH)
            self._lose("resources", f"uid {uid!r}", "", "taken from the history")
            live[uid] = ExportedResource(
                uid=uid, kind=entry.kind, name=entry.name, spec=entry.spec, created_at=at,
                modified_at=at, modified_by="", modified_serial=entry.serial,
            )  # fmt: skip
        return live

    def _with_marks(self, stored: tuple[ExportedResource, ...]) -> tuple[ExportedResource, ...]:
        """The resources with their fingerprints and last tests, where these fit."""
        marks: dict[str, list[ExportedFingerprint]] = {}
        references = {item.uid: _references(item) for item in stored}
        for values in self._whole(tables.fingerprints):
            uid = values.pop("uid")
            if values["reference"] in references.get(uid, ()):
                marks.setdefault(uid, []).append(ExportedFingerprint(**values))
            else:
                self._lose("fingerprints", f"uid {uid!r}", "reference", "belongs to no resource")
        last = {}
        for values in self._whole(tables.tests):
            uid, facts = values.pop("uid"), json.loads(values.pop("facts"))
            if uid in references and _is_connector(uid, stored):
                last[uid] = ExportedTest(**values, facts=facts)
            else:
                self._lose("tests", f"uid {uid!r}", "uid", "belongs to no connector")
        return tuple(
            replace(
                item,
                fingerprints=tuple(
                    sorted(marks.get(item.uid, ()), key=lambda mark: mark.reference)
                ),
                last_test=last.get(item.uid),
            )
            for item in stored
        )

    def _settling(
        self, left: dict[str, ExportedEntry], live: dict[str, ExportedResource], serial: int
    ) -> tuple[ExportedEntry, ...]:
        """The last revision, which makes the history end with the stored resources."""
        entries: list[ExportedEntry] = []

        def add(item: ExportedEntry | ExportedResource, action: str, spec: Any) -> None:
            entries.append(
                ExportedEntry(
                    serial=serial, position=len(entries), uid=item.uid, kind=item.kind, name=item.name,
                    action=action, spec=spec, renamed_from="",
                )
            )  # fmt: skip

        for uid, entry in left.items():
            if entry.spec is not None and uid not in live:
                add(entry, "forget", None)
        for uid, item in live.items():
            then = left.get(uid)
            if then is None or then.spec is None:
                add(item, "create", item.spec)
            elif (then.kind, then.name, canonical_json(then.spec)) != (
                item.kind, item.name, canonical_json(item.spec),
            ):  # fmt: skip
                add(item, "update", item.spec)
        return tuple(entries)

    def _last(self, serial: int, settled: tuple[ExportedEntry, ...]) -> ExportedRevision:
        actions = [item.action for item in settled]
        return ExportedRevision(
            serial=serial, at=self._now, actor=_ACTOR, actor_source="", git_commit="",
            tool_version="", plan_digest="", added=actions.count("create"),
            changed=actions.count("update"), destroyed=actions.count("forget"),
            note=f"salvaged from a damaged state, with {len(self._losses)} losses",
        )  # fmt: skip


def _shown(value: Any) -> str:
    return repr(str(value)[:60].encode("ascii", "backslashreplace").decode("ascii"))


def _python(of: Column[Any], value: Any) -> Any:
    if isinstance(of.type, tables.UtcDateTime) and value is not None:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return found.astimezone(UTC)
    return bool(value) if isinstance(of.type, Boolean) else value


def _sending(values: dict[str, Any]) -> SendingRecord:
    return SendingRecord(**{**values, "result": SendingResult(values["result"])})


def _attempt(values: dict[str, Any]) -> ExportedAttempt:
    return ExportedAttempt(**{**values, "outcome": AttemptOutcome(values["outcome"])})


def _resource(item: ExportedResource) -> Resource:
    return specs.read(specs.address_of(item.kind, item.name), canonical_json(item.spec))


def _references(item: ExportedResource) -> frozenset[str]:
    found = _resource(item)
    return frozenset(map(str, found.references)) if isinstance(found, Connector) else frozenset()


def _is_connector(uid: str, stored: tuple[ExportedResource, ...]) -> bool:
    return any(item.uid == uid and isinstance(_resource(item), Connector) for item in stored)
