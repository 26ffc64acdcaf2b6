"""A state that lives as long as the object: for tests, and as the plainest reading of the ports."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs

from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.credential_use import CredentialUse, Destination
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.resource import Resource, canonical_json
from reconciler.model.secret_ref import SecretRef
from reconciler.model.sending import EVERY_SENDING, FINAL, SendingFilter, SendingRecord
from reconciler.model.sign_in_attempt import (
    EVERY_ATTEMPT,
    AttemptFilter,
    AttemptOutcome,
    SignInAttempt,
)
from reconciler.model.snapshot import Forgotten, LastTest, StoredResource, StoredState
from reconciler.plan.changes import ChangeCounts
from reconciler.routing.excerpt import RoutingExcerpt
from reconciler.state import lease as leases
from reconciler.state import specs
from reconciler.state.base import (
    Commit,
    HistoryEntry,
    Lease,
    PastState,
    Revision,
    StateLock,
)
from reconciler.state.decoding import NO_RESOURCES
from reconciler.state.effects import (
    Effects,
    effects,
    fingerprints_after,
    moved,
    not_empty,
    nothing_to_export,
)
from reconciler.state.exported import (
    ExportedAttempt,
    ExportedCredentialUse,
    ExportedEntry,
    ExportedRevision,
    StateExport,
    WholeState,
    exported,
    restored,
)
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from reconciler.model.setting import Setting
    from reconciler.routing.keys import RoutingNeeds
    from reconciler.state.effects import Fingerprints


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Row:
    stored: StoredResource
    serial: int


class MemoryStore:
    """Implements :class:`reconciler.state.base.StateStore`. Safe to use from several threads."""

    def __init__(self, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._lineage = ""
        self._rows: dict[str, _Row] = {}
        self._revisions: list[Revision] = []
        self._history: list[tuple[str, HistoryEntry]] = []
        self._sent: list[SendingRecord] = []
        self._attempts: list[SignInAttempt] = []
        self._uses: dict[str, tuple[datetime, CredentialUse]] = {}
        self._settings: tuple[Setting, ...] = ()
        self._lease: Lease | None = None

    # --- reading ----------------------------------------------------------------------------------

    def load(
        self, like: Mapping[Address, Resource] = NO_RESOURCES, *, only_resources: bool = False
    ) -> StoredState:
        """Read the newest revision, whose values are in memory anyway."""
        del like
        with self._mutex:
            rows = sorted((row.stored for row in self._rows.values()), key=_address)
            if only_resources:
                bare = (replace(row, last_test=None) for row in rows)
                return StoredState(
                    self._lineage, len(self._revisions), tuple(bare), settings=self._settings
                )
            return StoredState(
                self._lineage,
                len(self._revisions),
                tuple(rows),
                self._forgotten(),
                tuple(self._uses[name][1] for name in sorted(self._uses)),
                self._settings,
            )

    def migrate(self) -> bool:
        """There is no older schema in memory."""
        return False

    def _forgotten(self) -> tuple[Forgotten, ...]:
        newest = {entry.address: entry for _, entry in self._history}
        return tuple(
            Forgotten(entry.address, entry.serial, entry.at, entry.actor)
            for _, entry in self._history
            if entry.action == "forget" and newest[entry.address] is entry
        )

    def routing(self, needs: RoutingNeeds) -> RoutingExcerpt | None:
        """Everything, if something was applied."""
        newest = self.revisions(limit=1)
        if not newest:
            return None
        world = self.load().snapshot
        return RoutingExcerpt(
            newest[0].serial, newest[0].plan_digest, world, world.directory.internal_domains
        )

    def revisions(self, *, limit: int = 50, until: int | None = None) -> tuple[Revision, ...]:
        """The newest revisions, those after ``until`` left out, newest first."""
        with self._mutex:
            return tuple(self._revisions[:until][::-1][:limit])

    def changes_of(self, serial: int) -> tuple[HistoryEntry, ...]:
        """What one revision did, in order."""
        with self._mutex:
            return tuple(entry for _, entry in self._history if entry.serial == serial)

    def past(self, serial: int, like: Mapping[Address, Resource] = NO_RESOURCES) -> PastState:
        """Everything as it was at that revision."""
        del like
        with self._mutex:
            found: dict[str, Resource] = {}
            for uid, entry in self._history:
                if entry.serial <= serial:
                    found.pop(uid, None)
                    if entry.spec is not None:
                        found[uid] = specs.read(entry.address, canonical_json(entry.spec))
            return PastState(serial, found)

    def step(self, serial: int) -> tuple[PastState, PastState]:
        """Before and after one revision, of the resources that it touched and no others."""
        touched = {uid for uid, entry in self._history if entry.serial == serial}
        before, after = (
            PastState(
                state.serial,
                {uid: state.resources[uid] for uid in touched & state.resources.keys()},
            )
            for state in (self.past(serial - 1), self.past(serial))
        )
        return before, after

    def history(self, address: Address, *, limit: int = 50) -> tuple[HistoryEntry, ...]:
        """The history of the resource with that address or, if there is none now, of the last one that had it."""
        with self._mutex:
            last = {uid: entry.address for uid, entry in self._history}
            uids = {uid for uid, known in last.items() if known == address} or {
                uid for uid, entry in self._history if entry.address == address
            }
            found = [entry for uid, entry in self._history if uid in uids]
            return tuple(found[::-1][:limit])

    def salvage(self) -> AbstractContextManager[WholeState]:
        """Everything: nothing in memory is damaged."""
        return self.export()

    def export(self) -> AbstractContextManager[WholeState]:
        """Everything but the lock; raises StateError if nothing was applied."""
        with self._mutex:
            if not self._revisions:
                raise nothing_to_export()
            positions = [
                position
                for serial in range(1, len(self._revisions) + 1)
                for position, _ in enumerate(e for _, e in self._history if e.serial == serial)
            ]
            whole = StateExport(
                lineage=self._lineage,
                serial=len(self._revisions),
                revisions=tuple(
                    ExportedRevision(
                        **{name: getattr(item, name) for name in _OF_REVISION},
                        **structs.asdict(item.counts),
                    )
                    for item in self._revisions
                ),
                resources=tuple(
                    exported(uid, row.stored, row.serial)
                    for uid, row in sorted(
                        self._rows.items(),
                        key=lambda item: (item[1].stored.address.kind, item[1].stored.address.name),
                    )
                ),
                history=tuple(
                    ExportedEntry(
                        serial=entry.serial,
                        position=position,
                        uid=uid,
                        kind=entry.address.kind.value,
                        name=entry.address.name,
                        action=entry.action,
                        spec=entry.spec,
                        renamed_from=entry.renamed_from,
                    )
                    for (uid, entry), position in zip(self._history, positions, strict=True)
                ),
                sent=tuple(sorted(self._endings(), key=_moment)),
                attempts=tuple(_exported(item) for item in sorted(self._attempts, key=_moment)),
                credential_uses=tuple(
                    ExportedCredentialUse(**specs.use_row(use), at=at)  # type: ignore[arg-type]
                    for at, use in sorted(self._uses.values(), key=_first_seen)
                ),
                settings=self._settings,
            )
        return nullcontext(whole)

    def restore(self, export: WholeState, *, token: str) -> None:
        """Fill an empty state; raises StateError if it is not empty."""
        with self._mutex:
            if self._lease is None or self._lease.token != token:
                raise leases.lost(self._in_force(self._clock()))
            if self._revisions:
                raise not_empty(len(self._revisions))
            self._lineage = export.lineage
            self._revisions = [
                Revision(
                    **{name: getattr(item, name) for name in _OF_REVISION},
                    counts=ChangeCounts(item.added, item.changed, item.destroyed),
                )
                for item in export.revisions
            ]
            self._rows = {
                item.uid: _Row(restored(item), item.modified_serial) for item in export.resources
            }
            for item in export.history:
                of = self._revisions[item.serial - 1]
                entry = HistoryEntry(
                    serial=item.serial,
                    at=of.at,
                    actor=of.actor,
                    address=specs.address_of(item.kind, item.name),
                    action=item.action,
                    spec=item.spec,
                    renamed_from=item.renamed_from,
                    git_commit=of.git_commit,
                )
                self._history.append((item.uid, entry))
            self._sent = list(export.sent)
            self._attempts = [_restored(item) for item in export.attempts]
            self._uses = {
                item.id: (item.at, _restored_use(item)) for item in export.credential_uses
            }
            self._settings = export.settings

    def check(self) -> tuple[str, ...]:
        """Nothing can be wrong with values in memory."""
        return ()

    def broken_links(self) -> tuple[int, ...]:
        """There is no chain in memory."""
        return ()

    def lease(self) -> Lease | None:
        """The lease in force, if any."""
        with self._mutex:
            return self._in_force(self._clock())

    # --- the lock ---------------------------------------------------------------------------------

    def lock(
        self,
        *,
        holder: str,
        operation: str,
        wait: timedelta = timedelta(),
        waiting: Callable[[Lease], None] | None = None,
    ) -> StateLock:
        """Take the lock; raises StateLocked."""
        taken = leases.acquire(
            partial(self._attempt, holder, operation), wait=wait, waiting=waiting
        )
        return leases.HeldLock(
            taken,
            renew=partial(self._renew, taken.token),
            release=partial(self._release, taken.token),
        )

    def unlock(self, token: str) -> Lease:
        """Remove the lock that is held under that token."""
        with self._mutex:
            found = self._lease
            if found is None or found.token != token:
                raise leases.no_such_lease(token, self._in_force(self._clock()))
            self._lease = None
            return found

    def _in_force(self, now: datetime) -> Lease | None:
        return self._lease if self._lease is not None and self._lease.expires > now else None

    def _attempt(
        self, holder: str, operation: str, dead: Lease | None
    ) -> Lease | leases.LockRefused:
        with self._mutex:
            now = self._clock()
            current = self._in_force(now)
            if current is not None and current != dead:
                return leases.LockRefused(current, now)
            self._lease = leases.fresh(uuid.uuid4().hex, holder, operation, now)
            return self._lease

    def _renew(self, token: str) -> bool:
        with self._mutex:
            if self._lease is None or self._lease.token != token:
                return False
            self._lease = replace(self._lease, expires=self._clock() + leases.LASTS)
            return True

    def _release(self, token: str) -> None:
        with self._mutex:
            if self._lease is not None and self._lease.token == token:
                self._lease = None

    # --- writing ----------------------------------------------------------------------------------

    def commit(self, commit: Commit, *, token: str) -> Revision:
        """Write one apply; raises StateConflict."""
        commit = replace(commit, at=commit.at.astimezone(UTC))
        with self._mutex:
            if self._lease is None or self._lease.token != token:
                raise leases.lost(self._in_force(self._clock()))
            serial = len(self._revisions)
            if (commit.expected_lineage, commit.expected_serial) != (self._lineage, serial):
                raise moved(commit, self._lineage, serial)
            live = {row.stored.address: uid for uid, row in self._rows.items()}
            done = effects(commit.changes, live, serial + 1)
            self._lineage = self._lineage or uuid.uuid4().hex
            self._rows = self._rows_after(done, commit)
            revision = Revision(
                serial=serial + 1,
                at=commit.at,
                actor=commit.actor,
                actor_source=commit.actor_source,
                git_commit=commit.git_commit,
                tool_version=commit.tool_version,
                plan_digest=commit.plan_digest,
                counts=ChangeCounts.of(commit.changes),
                note=commit.note,
            )
            self._revisions.append(revision)
            self._remember(commit.credential_uses, commit.at)
            self._settings = commit.settings or self._settings
            self._history.extend(
                (
                    event.uid,
                    HistoryEntry(
                        serial=serial + 1,
                        at=commit.at,
                        actor=commit.actor,
                        address=event.address,
                        action=event.action,
                        spec=None if event.spec is None else json.loads(event.spec),
                        renamed_from=event.renamed_from,
                        git_commit=commit.git_commit,
                    ),
                )
                for event in done.events
            )
            return revision

    def _rows_after(self, done: Effects, commit: Commit) -> dict[str, _Row]:
        rows = {uid: row for uid, row in self._rows.items() if uid not in done.deleted}
        for uid, resource in (*done.created.items(), *done.changed.items()):
            before = rows.get(uid)
            rows[uid] = _Row(
                StoredResource(
                    resource=resource,
                    created_at=before.stored.created_at if before else commit.at,
                    modified_at=commit.at,
                    modified_by=commit.actor,
                    fingerprints=before.stored.fingerprints if before else (),
                    last_test=before.stored.last_test
                    if before and uid not in done.unsettled
                    else None,
                ),
                commit.expected_serial + 1,
            )
        supplied, tests = dict(commit.fingerprints), dict(commit.tests)
        for uid, row in rows.items():
            resource = row.stored.resource
            if isinstance(resource, Connector):
                stored = replace(
                    row.stored,
                    fingerprints=fingerprints_after(
                        resource, row.stored.fingerprints, supplied.get(resource.name, ())
                    ),
                    last_test=_kept(row.stored, tests.get(resource.name)),
                )
                rows[uid] = replace(row, stored=stored)
        return rows

    def _remember(self, uses: tuple[CredentialUse, ...], at: datetime) -> None:
        for use in uses:
            self._uses.setdefault(str(specs.use_row(use)["id"]), (at, use))

    def record_settings(
        self,
        settings: tuple[Setting, ...],
        *,
        token: str,
        fingerprints: tuple[tuple[str, Fingerprints], ...] = (),
    ) -> None:
        """Keep the settings in force at an apply that had nothing else to write."""
        with self._mutex:
            if self._lease is None or self._lease.token != token:
                raise leases.lost(self._in_force(self._clock()))
            self._settings = settings
            for name, pairs in fingerprints:
                for uid, row in self._rows.items():
                    if row.stored.address == Address(Kind.EMAIL_CONNECTOR, name):
                        marked = replace(row.stored, fingerprints=pairs)
                        self._rows[uid] = replace(row, stored=marked)

    def record_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        """Add attempts to sign in that are about to be made."""
        with self._mutex:
            if self._revisions or self._lease is not None:
                self._attempts += [replace(item, at=item.at.astimezone(UTC)) for item in attempts]

    def finish_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        """Write how attempts ended, and remember where sign-ins succeeded."""
        with self._mutex:
            ended = {item.id: item for item in attempts}
            known = {item.id for item in self._attempts}
            self._attempts = [
                replace(item, outcome=end.outcome, error_class=end.error_class)
                if (end := ended.get(item.id))
                else item
                for item in self._attempts
            ]
            for item in attempts:
                if item.id in known and item.outcome is AttemptOutcome.SIGNED_IN:
                    use = CredentialUse(item.reference, item.identity, item.destination)
                    self._remember((use,), item.at.astimezone(UTC))

    def forget_attempts(self, before: datetime) -> int:
        """Remove old attempts to sign in from the audit."""
        with self._mutex:
            kept = [item for item in self._attempts if item.at >= before]
            gone = len(self._attempts) - len(kept)
            self._attempts = kept
            return gone

    def attempts(
        self, chosen: AttemptFilter = EVERY_ATTEMPT, *, limit: int = 50
    ) -> tuple[SignInAttempt, ...]:
        """The newest attempts to sign in that match, newest first."""
        with self._mutex:
            found = sorted(filter(chosen.matches, self._attempts), key=_moment, reverse=True)
            return tuple(found[:limit])

    def each_attempt(
        self, chosen: AttemptFilter = EVERY_ATTEMPT, *, limit: int = 50
    ) -> AbstractContextManager[Iterator[SignInAttempt]]:
        """The same, one after the other."""
        return nullcontext(iter(self.attempts(chosen, limit=limit)))

    def record_tests(self, tests: tuple[tuple[str, LastTest], ...], *, serial: int) -> None:
        """Keep results of live tests of connectors that did not change after ``serial``."""
        with self._mutex:
            for name, result in tests:
                address = Address(Kind.EMAIL_CONNECTOR, name)
                for uid, row in self._rows.items():
                    if row.stored.address == address and row.serial <= serial:
                        stored = replace(row.stored, last_test=_kept(row.stored, result))
                        self._rows[uid] = replace(row, stored=stored)

    def record_sent(self, record: SendingRecord) -> None:
        """Add one attempt to send to the audit."""
        record = replace(record, at=record.at.astimezone(UTC))
        with self._mutex:
            if self._revisions:
                self._sent.append(record)

    def forget_sent(self, before: datetime) -> int:
        """Remove old attempts to send from the audit."""
        with self._mutex:
            kept = [record for record in self._sent if record.at >= before]
            gone = [record for record in self._endings() if record.at < before]
            self._sent = kept
            return len(gone)

    def sent(
        self, matching: SendingFilter = EVERY_SENDING, *, limit: int = 50
    ) -> tuple[SendingRecord, ...]:
        """The newest attempts to send that match, newest first."""
        with self._mutex:
            found = sorted(filter(matching.matches, self._endings()), key=_moment, reverse=True)
            return tuple(found[:limit])

    def each_sent(
        self, matching: SendingFilter = EVERY_SENDING, *, limit: int = 50
    ) -> AbstractContextManager[Iterator[SendingRecord]]:
        """The same, one after the other."""
        return nullcontext(iter(self.sent(matching, limit=limit)))

    def _endings(self) -> list[SendingRecord]:
        known = {record.id for record in self._sent}
        return [item for item in self._sent if f"{item.id}{FINAL}" not in known]

    def give_space_back(self) -> str:
        """Memory needs no help."""
        return ""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


_OF_REVISION = (
    "serial", "at", "actor", "actor_source", "git_commit", "tool_version", "plan_digest", "note",
)  # fmt: skip


def _kept(before: StoredResource, result: LastTest | None) -> LastTest | None:
    last = before.last_test
    return last if result is None else result.after(last.failing_since if last else None)


def _moment(record: SendingRecord | SignInAttempt) -> tuple[datetime, str]:
    return record.at, record.id


def _first_seen(seen: tuple[datetime, CredentialUse]) -> tuple[datetime, str]:
    return seen[0], str(specs.use_row(seen[1])["id"])


_OF_ATTEMPT = (
    "id", "at", "actor", "actor_source", "command", "connector", "protocol", "identity", "outcome",
    "error_class",
)  # fmt: skip


def _exported(item: SignInAttempt) -> ExportedAttempt:
    own = {name: getattr(item, name) for name in _OF_ATTEMPT}
    return ExportedAttempt(reference=str(item.reference), **item.destination._asdict(), **own)


def _restored(item: ExportedAttempt) -> SignInAttempt:
    own = {name: getattr(item, name) for name in _OF_ATTEMPT}
    return SignInAttempt(
        reference=SecretRef.parse(item.reference), destination=_destination(item), **own
    )


def _restored_use(item: ExportedCredentialUse) -> CredentialUse:
    value = Fingerprint(item.key_id, item.mac) if item.mac else None
    return CredentialUse(SecretRef.parse(item.reference), item.identity, _destination(item), value)


def _destination(item: ExportedAttempt | ExportedCredentialUse) -> Destination:
    return Destination(item.host, item.port, item.security, item.username)


def _address(stored: StoredResource) -> Address:
    return stored.address
