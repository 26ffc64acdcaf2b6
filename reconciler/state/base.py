"""The ports of the state: what a store must offer, with reading kept apart from writing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, Self

from msgspec import Struct

from reconciler.model.sending import EVERY_SENDING, SendingFilter, SendingRecord
from reconciler.model.sign_in_attempt import EVERY_ATTEMPT, AttemptFilter, SignInAttempt
from reconciler.model.snapshot import LastTest, Snapshot, StoredState
from reconciler.plan.changes import Change, ChangeCounts
from reconciler.state.decoding import NO_RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from reconciler.errors import StateError
    from reconciler.model.address import Address
    from reconciler.model.credential_use import CredentialUse
    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.resource import JSON, Resource
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.setting import Setting
    from reconciler.routing.excerpt import RoutingExcerpt
    from reconciler.routing.keys import RoutingNeeds
    from reconciler.state.effects import Fingerprints
    from reconciler.state.exported import WholeState


class Commit(Struct, frozen=True):
    """One apply, about to be written.

    ``expected_serial`` and ``expected_lineage`` are those of the state that was planned against (0
    and "" for the empty one). ``fingerprints`` and ``tests`` are keyed by the name of the connector
    after the change. ``note`` is the scope of a partial apply, and the reason of skipped tests.
    ``credential_uses`` are added to the remembered ones; ``settings`` replace the stored ones
    unless they are empty.
    """

    expected_lineage: str
    expected_serial: int
    changes: tuple[Change, ...]
    at: datetime
    actor: str
    actor_source: str
    git_commit: str
    tool_version: str
    plan_digest: str
    note: str = ""
    fingerprints: tuple[tuple[str, tuple[tuple[SecretRef, Fingerprint], ...]], ...] = ()
    tests: tuple[tuple[str, LastTest], ...] = ()
    credential_uses: tuple[CredentialUse, ...] = ()
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """One apply, as it was written. ``serial`` counts from 1 without gaps.

    ``chain`` is its digest, chained to the one before; "" where the store keeps none.
    """

    serial: int
    at: datetime
    actor: str
    actor_source: str
    git_commit: str
    tool_version: str
    plan_digest: str
    counts: ChangeCounts
    note: str = ""
    chain: str = field(default="", compare=False)


class HistoryEntry(Struct, frozen=True):
    """What one revision did to one resource; ``spec`` is None after a delete.

    ``action`` is create, update, rename, delete, forget or rotate_secret.
    """

    serial: int
    at: datetime
    actor: str
    address: Address
    action: str
    spec: dict[str, JSON] | None
    renamed_from: str = ""
    git_commit: str = ""


class PastState(Struct, frozen=True):
    """Resources as they were at one revision, by uid: what stays with a resource through renames."""

    serial: int
    resources: Mapping[str, Resource]

    @property
    def snapshot(self) -> Snapshot:
        """The resources alone."""
        return Snapshot.of(tuple(self.resources.values()))


class Lease(Struct, frozen=True):
    """Who holds the lock. ``token`` is the id that ``state unlock`` takes."""

    token: str
    holder: str
    operation: str
    host: str
    since: datetime
    expires: datetime


class StateReader(Protocol):
    """What can be read from a state without holding the lock."""

    def sent(
        self, matching: SendingFilter = EVERY_SENDING, *, limit: int = 50
    ) -> tuple[SendingRecord, ...]:
        """The newest attempts to send that match, newest first."""
        ...

    def each_sent(
        self, matching: SendingFilter = EVERY_SENDING, *, limit: int = 50
    ) -> AbstractContextManager[Iterator[SendingRecord]]:
        """The same, to be read one after the other within one consistent view."""
        ...

    def attempts(
        self, chosen: AttemptFilter = EVERY_ATTEMPT, *, limit: int = 50
    ) -> tuple[SignInAttempt, ...]:
        """The newest attempts to sign in that match, newest first."""
        ...

    def each_attempt(
        self, chosen: AttemptFilter = EVERY_ATTEMPT, *, limit: int = 50
    ) -> AbstractContextManager[Iterator[SignInAttempt]]:
        """The same, to be read one after the other within one consistent view."""
        ...

    def load(
        self, like: Mapping[Address, Resource] = NO_RESOURCES, *, only_resources: bool = False
    ) -> StoredState:
        """Read the newest revision in one consistent view; the empty state if there is none.

        With ``only_resources``, it lacks the tests, what was forgotten, and the uses of secrets.

        ``like`` are expected resources: equal ones are reused in the result, so that they are neither
        parsed nor stored twice.
        """
        ...

    def routing(self, needs: RoutingNeeds) -> RoutingExcerpt | None:
        """Read what the routing of one mail needs, in one consistent view.

        None if nothing was applied, or another release wrote the lookup keys: use the whole state then.
        Raises StateCorrupt for unreadable values.
        """
        ...

    def revisions(self, *, limit: int = 50, until: int | None = None) -> tuple[Revision, ...]:
        """The newest revisions up to and including ``until``, newest first."""
        ...

    def changes_of(self, serial: int) -> tuple[HistoryEntry, ...]:
        """What one revision did, in order."""
        ...

    def past(self, serial: int, like: Mapping[Address, Resource] = NO_RESOURCES) -> PastState:
        """Everything as it was at that revision; nothing at 0. Ignores later revisions.

        Reuses equal resources of ``like``.
        """
        ...

    def step(self, serial: int) -> tuple[PastState, PastState]:
        """Before and after one revision: only the resources that it touched."""
        ...

    def history(self, address: Address, *, limit: int = 50) -> tuple[HistoryEntry, ...]:
        """The history of one resource, under its former names too, newest first."""
        ...

    def salvage(self) -> AbstractContextManager[WholeState]:
        """Everything that can still be read, and what cannot; raises StateError if nothing can."""
        ...

    def export(self) -> AbstractContextManager[WholeState]:
        """Everything except the lock, to be read within one consistent view.

        Raises StateError if nothing was applied, and StateCorrupt, then or while reading, for
        unreadable values.
        """
        ...

    def check(self) -> tuple[str, ...]:
        """Read everything, and return its problems, a sentence each."""
        ...

    def broken_links(self) -> tuple[int, ...]:
        """The revisions that do not match their digest in the chain of the history, oldest first."""
        ...

    def lease(self) -> Lease | None:
        """The lease in force, if any; an expired one does not count."""
        ...


class StateLock(Protocol):
    """A held lock; leaving the ``with`` block releases it."""

    @property
    def lease(self) -> Lease:
        """The lease."""
        ...

    @property
    def not_released(self) -> StateError | None:
        """Why the lock could not be released at the end of the block; None if it was released."""
        ...

    def give_back(self) -> None:
        """Release the lock, unless that was done, like the end of the block."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class SendingLog(Protocol):
    """The audit of sending. It needs no lock: an attempt is a fact, whatever is applied meanwhile."""

    def record_sent(self, record: SendingRecord) -> None:
        """Add one attempt; nothing is kept if no state was ever created.

        Raises StateError if it cannot be kept. The mail was sent anyway: the caller reports the error
        and continues.
        """
        ...

    def forget_sent(self, before: datetime) -> int:
        """Remove the attempts made before a moment, and return their number."""
        ...


class AttemptLog(Protocol):
    """The audit of attempts to sign in. It needs no lock; nothing is kept if there is no state."""

    def record_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        """Add attempts that are about to be made, in one transaction; raises StateError."""
        ...

    def finish_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        """Record how attempts ended, in one transaction, and remember where sign-ins succeeded.

        Raises StateError.
        """
        ...

    def forget_attempts(self, before: datetime) -> int:
        """Remove the attempts made before a moment, and return their number."""
        ...


class NamedRevision(Protocol):
    """The identity of a revision."""

    @property
    def serial(self) -> int:
        """Its number."""
        ...

    @property
    def plan_digest(self) -> str:
        """The digest of its plan."""
        ...


class MailState(Protocol):
    """The part of a store that sending one mail needs."""

    def migrate(self) -> bool:
        """As :meth:`StateStore.migrate`."""
        ...

    def revisions(self, *, limit: int) -> Sequence[NamedRevision]:
        """As :meth:`StateReader.revisions`."""
        ...

    def load(self) -> StoredState:
        """As :meth:`StateReader.load`."""
        ...

    def routing(self, needs: RoutingNeeds) -> RoutingExcerpt | None:
        """As :meth:`StateReader.routing`."""
        ...

    def record_sent(self, record: SendingRecord) -> None:
        """As :meth:`SendingLog.record_sent`."""
        ...

    def close(self) -> None:
        """As :meth:`StateStore.close`."""
        ...


class StateStore(StateReader, SendingLog, AttemptLog, Protocol):
    """A state that can be written."""

    def migrate(self) -> bool:
        """Migrate a state of an older release to this one; False if there is none or it is current.

        All other methods refuse such a state with StateUnavailable. Raises StateError if it cannot
        be written, or a newer release wrote it.
        """
        ...

    def lock(
        self,
        *,
        holder: str,
        operation: str,
        wait: timedelta = timedelta(),
        waiting: Callable[[Lease], None] | None = None,
    ) -> StateLock:
        """Take the lock, waiting at most ``wait`` for its holder, which is passed to ``waiting``.

        Raises StateLocked, which names the holder, after that.
        """
        ...

    def unlock(self, token: str) -> Lease:
        """Remove the lock that is held under that token; raises StateError if there is none."""
        ...

    def commit(self, commit: Commit, *, token: str) -> Revision:
        """Write one apply in one transaction: all of it or, after a crash at any instant, nothing.

        Raises StateConflict if lineage, serial or the lease's token have changed.
        """
        ...

    def restore(self, export: WholeState, *, token: str) -> None:
        """Fill an empty state with a verified export, in one transaction, under the lock.

        Raises StateError if it is not empty, and StateConflict if the lease was lost.
        """
        ...

    def record_settings(
        self,
        settings: tuple[Setting, ...],
        *,
        token: str,
        fingerprints: tuple[tuple[str, Fingerprints], ...] = (),
    ) -> None:
        """Record the settings in force after an apply that wrote nothing else, under the lock.

        ``fingerprints`` are those of connectors whose secrets were fingerprinted under another key. Raises
        StateConflict if the lease was lost.
        """
        ...

    def record_tests(self, tests: tuple[tuple[str, LastTest], ...], *, serial: int) -> None:
        """Record results of live tests without a new revision.

        Drops results of connectors that were removed, or changed after ``serial``. A failure that
        follows others without a success between them keeps their ``failing_since``; ``commit`` does
        the same for connectors that it leaves as they are.
        """
        ...

    def give_space_back(self) -> str:
        """Return the space of deleted entries to the system; return why that failed, or "".

        A database that keeps its free space for itself does nothing. What is not returned now is reused, or
        returned next time.
        """
        ...

    def close(self) -> None:
        """Close connections and files."""
        ...
