"""The stages of an apply on the plainest store, with tests whose outcome the test decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.apply.executor import Applied, ApplyOptions, Author, Executor
from reconciler.connection.failure import ErrorClass
from reconciler.connection.observed import Observed
from reconciler.errors import ReconcilerError, StateConflict, StateUnavailable, TestsFailed
from reconciler.model.address import Kind
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import LastTest, Snapshot, Status, StoredState
from reconciler.plan.digest import plan_digest
from reconciler.plan.inputs import Desired
from reconciler.plan.planner import plan
from reconciler.probe.drift import Known, facts, last_test
from reconciler.state.decoding import NO_RESOURCES
from reconciler.state.write_outcome import WriteOutcome
from reconciler.values import replace
from tests.builders import NOON, at, connector, moved, permissions, receiving, result, users
from tests.memory_store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.address import Address
    from reconciler.model.connector import Connector
    from reconciler.model.resource import Resource
    from reconciler.probe.result import ConnectorResult
    from reconciler.state.base import Commit, Revision

AUTHOR = Author("ada", "--actor", "c0ffee", "0.1")
A, B = connector("a"), connector("b")
PLAINLY, KEEP_GOING = ApplyOptions(), ApplyOptions(keep_going=True)
REJECTED, UNREACHABLE = ErrorClass.AUTH_REJECTED, ErrorClass.REFUSED


@dataclass
class Probes:
    """Fails the given connectors, and remembers which were requested."""

    failing: dict[str, ErrorClass] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, connectors: tuple[Connector, ...]) -> tuple[ConnectorResult, ...]:
        self.asked = [item.name for item in connectors]
        return tuple(result(name, self.failing.get(name)) for name in self.asked)


@dataclass
class Bench:
    """A store, a tester, and applies of whatever is desired."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore(clock=lambda: NOON))
    outcome: WriteOutcome = field(default_factory=WriteOutcome)
    tester: Probes = field(default_factory=Probes)

    def apply(
        self,
        *configured: Resource,
        conduct: ApplyOptions = PLAINLY,
        renames: tuple[tuple[str, str], ...] = (),
        fingerprints: dict[SecretRef, Fingerprint] | None = None,
    ) -> Applied:
        desired = Desired(Snapshot.of(configured), renames, tuple((fingerprints or {}).items()))
        current = self.store.load()
        with self.store.lock(holder="ada", operation="apply", wait=timedelta()) as lock:
            executor = Executor(
                self.store, lock.lease.token, self.tester, AUTHOR, NOON, outcome=self.outcome
            )
            return executor.apply(desired, current, plan(desired, current), conduct)

    def fail(self, **failing: ErrorClass) -> None:
        self.tester.failing = failing

    def status(self, name: str) -> Status | None:
        stored = self.store.load().stored(at(Kind.EMAIL_CONNECTOR, name))
        return stored.status if stored else None

    @property
    def snapshot(self) -> Snapshot:
        return self.store.load().snapshot


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_everything_that_passes_is_written_as_one_revision(bench: Bench) -> None:
    done = bench.apply(A, B)
    assert bench.snapshot == Snapshot.of((A, B))
    assert done.revision is not None
    assert (done.revision.serial, done.revision.counts.added) == (1, 2)
    assert done.revision.plan_digest == plan_digest(done.plan)
    assert (done.revision.actor, done.revision.git_commit) == ("ada", "c0ffee")
    assert done.revision.note == ""
    assert bench.tester.asked == ["a", "b"]
    assert (bench.status("a"), bench.status("b")) == (Status.READY, Status.READY)
    assert (done.left_out, done.withheld) == ((), ())


def test_a_second_apply_does_nothing_and_tests_nothing(bench: Bench) -> None:
    bench.apply(A, B)
    bench.tester.asked = []
    done = bench.apply(A, B)
    assert done.revision is None
    assert done.results == ()
    assert bench.tester.asked == []
    assert bench.store.load().serial == 1


@pytest.mark.parametrize(("error", "rejected"), [(REJECTED, True), (UNREACHABLE, False)])
def test_one_failure_means_that_nothing_is_written(
    bench: Bench, error: ErrorClass, rejected: bool
) -> None:
    bench.apply(A)
    before = bench.store.load()
    bench.fail(b=error)
    with pytest.raises(TestsFailed) as caught:
        bench.apply(replace(A, sent_folder="Sent"), B)
    assert caught.value.rejected is rejected
    assert caught.value.message == "1 connector failed the live test: b"
    assert bench.store.load() == before


def test_one_rejection_among_the_unreachable_counts_as_rejected(bench: Bench) -> None:
    bench.fail(a=UNREACHABLE, b=REJECTED)
    with pytest.raises(TestsFailed) as caught:
        bench.apply(A, B)
    assert caught.value.rejected
    assert caught.value.message == "2 connectors failed the live test: a, b"


def test_keep_going_applies_what_passed_and_names_what_it_left_out(bench: Bench) -> None:
    bench.apply(A)
    bench.fail(b=REJECTED)
    configured = replace(A, sent_folder="Sent")
    of_b = permissions("b", users=users("ada"))
    policy = GlobalSmtpPolicy(fallback_connector="b")
    done = bench.apply(configured, B, of_b, policy, conduct=KEEP_GOING)
    assert bench.snapshot == Snapshot.of((configured,))
    assert done.left_out == ("b",)
    assert [str(item) for item in done.withheld] == ["Permissions.b", "GlobalSmtpPolicy.default"]
    assert done.revision is not None
    assert done.revision.counts.changed == 1
    assert bench.status("a") is Status.READY


def test_keep_going_with_nothing_left_writes_nothing(bench: Bench) -> None:
    bench.apply(A)
    bench.fail(b=UNREACHABLE)
    done = bench.apply(A, B, conduct=KEEP_GOING)
    assert done.revision is None
    assert done.left_out == ("b",)
    assert bench.store.load().serial == 1


def test_keep_going_leaves_a_stored_connector_and_what_is_known_of_it_alone(bench: Bench) -> None:
    bench.apply(A, B)
    bench.fail(a=REJECTED)
    bench.apply(replace(A, sent_folder="Sent"), replace(B, sent_folder="Sent"), conduct=KEEP_GOING)
    assert bench.snapshot.connector("a") == A
    assert bench.status("a") is Status.READY, "the stored version was not the one that failed"


def test_keep_going_does_not_delete_a_connector_that_was_renamed_long_ago(bench: Bench) -> None:
    bench.apply(A)
    bench.fail(a=REJECTED)
    done = bench.apply(
        replace(A, sent_folder="Sent"), B, conduct=KEEP_GOING, renames=(("a", "former"),)
    )
    assert bench.snapshot == Snapshot.of((A, B))
    assert done.left_out == ("a",)


def test_skipped_tests_are_recorded_with_their_reason(bench: Bench) -> None:
    done = bench.apply(A, conduct=ApplyOptions(skip_tests="the provider is down"))
    assert bench.tester.asked == []
    assert done.revision is not None
    assert done.revision.note == "tests skipped: the provider is down"
    assert bench.status("a") is Status.UNTESTED


def test_an_untested_connector_is_tested_by_the_next_apply_without_a_revision(bench: Bench) -> None:
    bench.apply(A, conduct=ApplyOptions(skip_tests="later"))
    done = bench.apply(A)
    assert bench.tester.asked == ["a"]
    assert done.revision is None
    assert bench.store.load().serial == 1
    assert bench.status("a") is Status.READY


def test_a_failing_connector_that_nothing_changes_is_not_tested(bench: Bench) -> None:
    bench.apply(A, conduct=ApplyOptions(skip_tests="later"))
    bench.fail(a=REJECTED)
    with pytest.raises(TestsFailed):
        bench.apply(A)
    assert bench.status("a") is Status.FAILING
    bench.tester.asked = []
    for conduct in (PLAINLY, KEEP_GOING):
        assert bench.apply(A, conduct=conduct).revision is None
    assert bench.apply(A, permissions("a"), B).left_out == ()
    assert bench.tester.asked == ["b"]
    assert bench.status("a") is Status.FAILING


def test_the_permissions_of_a_failing_connector_can_be_changed(bench: Bench) -> None:
    bench.apply(A, conduct=ApplyOptions(skip_tests="later"))
    bench.fail(a=REJECTED)
    with pytest.raises(TestsFailed):
        bench.apply(A)
    configured = permissions("a", users=users("ada"))
    done = bench.apply(A, configured)
    assert bench.snapshot == Snapshot.of((A, configured))
    assert done.withheld == ()
    assert bench.status("a") is Status.FAILING


def test_permissions_that_change_do_not_hide_what_a_test_found_of_their_connector(
    bench: Bench,
) -> None:
    bench.apply(A, B, conduct=ApplyOptions(skip_tests="later"))
    bench.fail(b=REJECTED)
    policy = GlobalSmtpPolicy(enabled=True, connector="b", fallback_connector="a")
    with pytest.raises(TestsFailed):
        bench.apply(A, B, permissions("a", users=users("ada")), policy)
    assert bench.status("a") is Status.READY
    assert bench.status("b") is Status.FAILING


def test_the_connector_of_a_changed_policy_is_tested_first(bench: Bench) -> None:
    bench.apply(A, B)
    bench.apply(replace(A, sent_folder="Sent"), B, GlobalSmtpPolicy(enabled=True, connector="b"))
    assert bench.tester.asked == ["b", "a"]


def test_a_draft_is_stored_and_never_tested(bench: Bench) -> None:
    bench.apply(receiving("d", draft=True, imap=None))
    assert bench.tester.asked == []
    assert bench.status("d") is Status.INCOMPLETE


def test_a_rotation_is_tested_written_and_then_known(bench: Bench) -> None:
    reference = SecretRef("env", "A_PASSWORD")
    bench.apply(A, fingerprints={reference: Fingerprint("k", "old")})
    bench.tester.asked = []
    done = bench.apply(A, fingerprints={reference: Fingerprint("k", "new")})
    assert bench.tester.asked == ["a"]
    assert done.revision is not None
    assert bench.apply(A, fingerprints={reference: Fingerprint("k", "new")}).revision is None


class Observant(MemoryStore):
    """A store that shows whose fingerprints it was given with each revision."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: NOON)
        self.given: list[list[str]] = []

    def commit(self, commit: Commit, *, token: str) -> Revision:
        self.given.append([name for name, _ in commit.fingerprints])
        return super().commit(commit, token=token)


def test_known_fingerprints_are_written_again_only_for_connectors_that_change() -> None:
    store = Observant()
    bench = Bench(store=store)
    references = (SecretRef("env", "A_PASSWORD"), SecretRef("env", "B_PASSWORD"))
    marks = {reference: Fingerprint("k", "1") for reference in references}
    bench.apply(A, B, fingerprints=marks)
    bench.apply(replace(A, display_name="Another"), B, fingerprints=marks)
    bench.apply(A, B, fingerprints={reference: Fingerprint("l", "2") for reference in references})
    assert store.given == [["a", "b"], ["a"], ["a", "b"]]
    stored = {item.address.name: item.fingerprints for item in store.load().resources}
    assert stored == {
        name: ((reference, Fingerprint("l", "2")),)
        for name, reference in zip("ab", references, strict=True)
    }


def test_a_rotation_that_fails_stays_pending(bench: Bench) -> None:
    reference = SecretRef("env", "A_PASSWORD")
    bench.apply(A, fingerprints={reference: Fingerprint("k", "old")})
    bench.fail(a=REJECTED)
    new = {reference: Fingerprint("k", "new")}
    done = bench.apply(A, B, fingerprints=new, conduct=KEEP_GOING)
    assert done.left_out == ("a",)
    bench.fail()
    assert bench.apply(A, B, fingerprints=new).plan.counts.changed == 1


def test_a_renamed_connector_keeps_its_recorded_results(bench: Bench) -> None:
    bench.apply(A)
    bench.tester.asked = []
    bench.apply(replace(A, name="new"), renames=(("new", "a"),))
    assert bench.tester.asked == []
    assert bench.status("new") is Status.READY
    assert bench.status("a") is None


def test_a_state_that_moved_on_is_not_overwritten(bench: Bench) -> None:
    stale = bench.store.load()
    bench.apply(A)
    desired = Desired(Snapshot.of((B,)))
    with bench.store.lock(holder="ada", operation="apply", wait=timedelta()) as lock:
        executor = Executor(bench.store, lock.lease.token, bench.tester, AUTHOR, NOON)
        with pytest.raises(StateConflict):
            executor.apply(desired, stale, plan(desired, stale), PLAINLY)
    assert bench.snapshot == Snapshot.of((A,))


def test_a_lock_that_was_lost_keeps_the_apply_from_writing(bench: Bench) -> None:
    desired = Desired(Snapshot.of((A,)))
    executor = Executor(bench.store, "no such token", bench.tester, AUTHOR, NOON)
    current = bench.store.load()
    with pytest.raises(StateConflict):
        executor.apply(desired, current, plan(desired, current), PLAINLY)
    assert bench.store.load().serial == 0


def test_a_store_that_does_not_write_what_it_was_given_is_noticed(bench: Bench) -> None:
    class Forgetful(MemoryStore):
        def load(
            self,
            like: Mapping[Address, Resource] = NO_RESOURCES,
            *,
            only_resources: bool = False,
        ) -> StoredState:
            return replace(super().load(like, only_resources=only_resources), resources=())

    bench.store = Forgetful(clock=lambda: NOON)
    with pytest.raises(
        ReconcilerError, match=r"a new plan after the apply is not empty: EmailConnector\.a"
    ):
        bench.apply(A)


def test_a_failure_is_recorded_with_stage_class_and_cause(bench: Bench) -> None:
    bench.apply(A, conduct=ApplyOptions(skip_tests="later"))
    bench.fail(a=REJECTED)
    with pytest.raises(TestsFailed):
        bench.apply(A)
    stored = bench.store.load().stored(at(Kind.EMAIL_CONNECTOR, "a"))
    assert stored is not None
    assert stored.last_test == LastTest(
        passed=False,
        at=NOON,
        stage="imap authentication",
        error_class="auth_rejected",
        summary="The server refused the login.",
        failing_since=NOON,
        facts={"imap": {"failure": "authentication: auth_rejected", "observed": None}},
    )


class Unreadable(MemoryStore):
    """A store that can be written, and cannot be read after that."""

    def load(
        self, like: Mapping[Address, Resource] = NO_RESOURCES, *, only_resources: bool = False
    ) -> StoredState:
        if self.revisions():
            raise StateUnavailable("the database is gone")
        return super().load(like, only_resources=only_resources)


def test_a_written_revision_is_reported_even_if_it_cannot_be_verified() -> None:
    bench = Bench(store=Unreadable(clock=lambda: NOON))
    with pytest.raises(StateUnavailable) as caught:
        bench.apply(A)
    assert caught.value.message == "the revision cannot be read back: the database is gone"
    assert bench.outcome.sentence == "Revision 1 was written."
    assert "reconciler plan" in caught.value.hint


def test_observations_of_a_server_outlive_an_apply_that_finds_it_down(bench: Bench) -> None:
    bench.apply(A)
    seen = Observed(mechanisms=("PLAIN",))
    good = result("a", REJECTED)
    good = replace(good, protocols=(replace(good.protocols[0], observed=seen),))
    bench.store.record_tests((("a", last_test(good)),), serial=1)
    bench.fail(a=UNREACHABLE)
    with pytest.raises(TestsFailed):
        bench.apply(A, GlobalSmtpPolicy(enabled=True, connector="a"))
    stored = bench.store.load().stored(at(Kind.EMAIL_CONNECTOR, "a"))
    assert stored is not None
    assert facts(stored.last_test) == {Protocol.IMAP: Known("authentication: refused", seen)}

    elsewhere = moved(A, server="elsewhere.contoso.example")
    bench.apply(elsewhere, conduct=ApplyOptions(skip_tests="outage"))
    with pytest.raises(TestsFailed):
        bench.apply(elsewhere)
    stored = bench.store.load().stored(at(Kind.EMAIL_CONNECTOR, "a"))
    assert stored is not None
    assert facts(stored.last_test) == {Protocol.IMAP: Known("authentication: refused", None)}
