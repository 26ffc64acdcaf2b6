"""Runs the stages of an apply: test, write in one transaction, verify that nothing is left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, assert_never

from msgspec import Struct

from reconciler.errors import ReconcilerError, StateError, StateUnavailable, TestsFailed
from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.credential_use import CredentialUse
from reconciler.plan.changes import ordered
from reconciler.plan.credentials import uses
from reconciler.plan.diff import differences
from reconciler.plan.digest import plan_digest
from reconciler.plan.keep_going import without
from reconciler.plan.planner import (
    Plan,
    ProveEmpty,
    TestConnectors,
    WriteRevision,
    identities,
    plan,
    stages,
)
from reconciler.state.base import Commit, Revision, StateStore
from reconciler.state.write_outcome import WriteOutcome
from reconciler.wording import TO_ACT_ON, counted, listed

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.snapshot import LastTest, StoredState
    from reconciler.plan.inputs import Desired
    from reconciler.probe.result import ConnectorResult


class ConnectorTester(Protocol):
    """Tests connectors live and waits for the results."""

    def __call__(self, connectors: tuple[Connector, ...]) -> tuple[ConnectorResult, ...]:
        """Return one result for each connector, in the same order."""
        ...


class Author(Struct, frozen=True):
    """Who applies, where that name comes from, and from which commit."""

    actor: str
    source: str
    git_commit: str
    tool_version: str


class ApplyOptions(Struct, frozen=True):
    """How an apply handles tests.

    ``skip_tests`` is the recorded reason for skipping them; empty

    runs them.
    """

    keep_going: bool = False
    skip_tests: str = ""


class Applied(Struct, frozen=True):
    """How an apply ended.

    ``revision`` is None if there was nothing to write.

    ``left_out`` names connectors whose test failed and which were therefore not applied;
    ``withheld`` are changes that depend on those.
    """

    plan: Plan
    revision: Revision | None
    results: tuple[ConnectorResult, ...]
    left_out: tuple[str, ...] = ()
    withheld: tuple[Address, ...] = ()


def _nothing() -> None:
    """Prepare nothing."""


class Executor:
    """Applies one plan under one lock."""

    def __init__(
        self,
        store: StateStore,
        token: str,
        tester: ConnectorTester,
        author: Author,
        now: datetime,
        *,
        outcome: WriteOutcome | None = None,
        before_writing: Callable[[], None] = _nothing,
    ) -> None:
        """``outcome`` records whether the revision was written, however the apply ends.

        ``before_writing`` is called once it is certain that something will be written.
        """
        self._before_writing = before_writing
        self._store = store
        self._token = token
        self._tester = tester
        self._author = author
        self._now = now
        self._outcome = outcome or WriteOutcome()

    def apply(
        self, desired: Desired, current: StoredState, planned: Plan, conduct: ApplyOptions
    ) -> Applied:
        """Take the steps of ``planned``.

        Raises TestsFailed if a test failed, in which case nothing was written unless
        ``conduct.keep_going`` says to write the rest; StateConflict if the state has moved on.
        """
        results: tuple[ConnectorResult, ...] = ()
        revision: Revision | None = None
        failed: frozenset[str] = frozenset()
        asked = planned
        for stage in stages(planned, skip_tests=bool(conduct.skip_tests)):
            match stage:
                case TestConnectors():
                    results = self._tester(_connectors(stage, desired))
                    failed = frozenset(item.connector for item in results if not item.passed)
                    if failed and conduct.keep_going:
                        desired = without(desired, current, failed)
                        planned = plan(desired, current)
                    if planned.empty or (failed and not conduct.keep_going):
                        # Nothing will be written, so only results of stored connectors are of use.
                        excluded = _connectors_of(asked)
                        self._record(_but(results, excluded, current, asked), current.serial)
                    if failed and not conduct.keep_going:
                        raise failure(results, _FIX)
                case WriteRevision():
                    if not planned.empty:
                        left = _connectors_of(asked) - _connectors_of(planned)
                        kept = _but(results, left, current, asked)
                        note = _note(asked, conduct)
                        revision = self._write(planned, (desired, current), kept, note)
                case ProveEmpty():
                    self._prove(desired, revision)
                case _:
                    assert_never(stage)
        if revision is None:
            self._record_rest(desired, current)
        return Applied(
            planned, revision, results, tuple(sorted(failed)), _withheld(asked, planned, failed)
        )

    def _record_rest(self, desired: Desired, current: StoredState) -> None:
        """Record new settings and fingerprints under a new key in an apply without changes."""
        renewed = _renewed(desired, current)
        other = desired.settings not in ((), current.settings)
        if not renewed and not other:
            return
        if renewed:
            self._before_writing()
        settings = desired.settings if other else current.settings
        self._store.record_settings(settings, token=self._token, fingerprints=renewed)

    def _write(
        self,
        planned: Plan,
        states: tuple[Desired, StoredState],
        tests: tuple[tuple[str, LastTest], ...],
        note: str,
    ) -> Revision:
        desired, current = states
        new = Commit(
            expected_lineage=planned.lineage,
            expected_serial=planned.serial,
            changes=planned.changes,
            at=self._now,
            actor=self._author.actor,
            actor_source=self._author.source,
            git_commit=self._author.git_commit,
            tool_version=self._author.tool_version,
            plan_digest=plan_digest(planned),
            note=note,
            fingerprints=_unrecorded(desired, current, _connectors_of(planned)),
            tests=tests,
            credential_uses=_credential_uses(desired, current),
            settings=desired.settings,
        )
        self._before_writing()
        return self._outcome.of(
            planned.serial + 1, lambda: self._store.commit(new, token=self._token)
        )

    def _record(self, tests: tuple[tuple[str, LastTest], ...], serial: int) -> None:
        if tests:
            self._store.record_tests(tests, serial=serial)

    def _prove(self, desired: Desired, revision: Revision | None) -> None:
        try:
            stored = self._store.load(desired.snapshot.by_address, only_resources=True)
        except StateError as error:
            if revision is None:
                raise
            raise StateUnavailable(
                f"the revision cannot be read back: {error.message}",
                hint="run `reconciler plan`: if it is not empty, apply again",
            ) from error
        left = ordered(differences(desired, stored))
        if left:
            names = listed([change.address for change in left])
            raise ReconcilerError(
                f"a new plan after the apply is not empty: {names}",
                hint="This is a bug in reconciler; please report it with the output of `plan`.",
            )


def _note(asked: Plan, conduct: ApplyOptions) -> str:
    """What a revision records about the apply: its scope, and why tests were skipped."""
    parts = [f"partial: {asked.partial.scope}"] if asked.partial is not None else []
    parts += [f"tests skipped: {conduct.skip_tests}"] if conduct.skip_tests else []
    return "; ".join(parts)


_FIX = "Fix what the test reports, or apply the rest with --keep-going."


def failure(results: tuple[ConnectorResult, ...], hint: str) -> TestsFailed:
    """The exception for failed tests, distinguishing a rejection from no answer."""
    failed = [item for item in results if not item.passed]
    rejected = [item for item in failed if not item.unreachable]
    what = counted(len(failed), "connector")
    return TestsFailed(
        f"{what} failed the live test: {listed([item.connector for item in failed], TO_ACT_ON)}",
        rejected=bool(rejected),
        hint=hint,
    )


def _connectors(stage: TestConnectors, desired: Desired) -> tuple[Connector, ...]:
    by_name = {item.name: item for item in desired.snapshot.connectors}
    return tuple(by_name[item.connector] for item in stage.connectors)


def _connectors_of(planned: Plan) -> frozenset[str]:
    return frozenset(
        change.address.name
        for change in planned.changes
        if change.address.kind is Kind.EMAIL_CONNECTOR
    )


def _withheld(asked: Plan, planned: Plan, failed: frozenset[str]) -> tuple[Address, ...]:
    applied = {change.address for change in planned.changes}
    named = {Address(Kind.EMAIL_CONNECTOR, name) for name in failed}
    done = applied | named
    return tuple(dict.fromkeys(item.address for item in asked.changes if item.address not in done))


def _but(
    results: tuple[ConnectorResult, ...],
    excluded: AbstractSet[str],
    current: StoredState,
    asked: Plan,
) -> tuple[tuple[str, LastTest], ...]:
    """The results of connectors that were tested as they are stored."""
    if not results:
        return ()
    from reconciler.probe.drift import last_test  # noqa: PLC0415 - only where something was tested

    known = _known(current, _connectors_of(asked))
    return tuple(
        (item.connector, last_test(item, known.get(item.connector)))
        for item in results
        if item.connector not in excluded
    )


def _known(current: StoredState, changed: AbstractSet[str]) -> dict[str, LastTest | None]:
    """The last tests of connectors that stay as they are."""
    return {
        item.address.name: item.last_test
        for item in current.resources
        if item.address.kind is Kind.EMAIL_CONNECTOR and item.address.name not in changed
    }


def _credential_uses(desired: Desired, current: StoredState) -> tuple[CredentialUse, ...]:
    """New destinations of secrets, which the state does not remember yet."""
    identify, values = identities(desired), dict(desired.values)
    remembered = set(current.credential_uses)
    found: dict[CredentialUse, None] = {}
    for resource in desired.snapshot.resources:
        for _, reference, destination in uses(resource):
            use = CredentialUse(reference, identify(reference), destination, values.get(reference))
            if use not in remembered:
                found[use] = None
    return tuple(found)


_Fingerprints: TypeAlias = "tuple[tuple[str, tuple[tuple[SecretRef, Fingerprint], ...]], ...]"
"""Connectors by name, each with references and the fingerprints of their secrets."""


def _fingerprints(desired: Desired) -> _Fingerprints:
    known = dict(desired.fingerprints)
    if not known:
        return ()
    return tuple(
        (connector.name, found)
        for connector in desired.snapshot.connectors
        if desired.compares(connector.name)
        and (
            found := tuple(
                (reference, known[reference])
                for reference in connector.references
                if reference in known
            )
        )
    )


def _stored_fingerprints(
    current: StoredState,
) -> dict[str, tuple[tuple[SecretRef, Fingerprint], ...]]:
    """The fingerprints in the state, by connector."""
    return {
        item.resource.name: item.fingerprints
        for item in current.resources
        if isinstance(item.resource, Connector)
    }


def _unrecorded(desired: Desired, current: StoredState, changed: AbstractSet[str]) -> _Fingerprints:
    """The fingerprints of connectors that change, and of others for which the state has different ones."""
    found = _fingerprints(desired)
    if not found:
        return ()
    stored = _stored_fingerprints(current)
    return tuple(
        (name, pairs)
        for name, pairs in found
        if name in changed or any(pair not in stored.get(name, ()) for pair in pairs)
    )


def _renewed(desired: Desired, current: StoredState) -> _Fingerprints:
    """New fingerprints for connectors with none, or with some under another key."""
    stored = {name: dict(pairs) for name, pairs in _stored_fingerprints(current).items()}
    return tuple(
        (name, pairs)
        for name, pairs in _fingerprints(desired)
        if name in stored
        and any(
            (known := stored[name].get(reference)) is None or known.key_id != mark.key_id
            for reference, mark in pairs
        )
    )
