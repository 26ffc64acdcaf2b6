"""Whatever is applied, in whatever order: the state is what was desired, and all stores agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.connector import Connector, Grant, MailServer, OAuth2, SaveSent, Security
from reconciler.model.directory import Group, Roles
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.policy import GlobalSmtpPolicy, ReplyTo
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import LastTest, Snapshot
from reconciler.plan.changes import ordered
from reconciler.plan.diff import differences
from reconciler.plan.inputs import Desired
from reconciler.state import sqlite_reader
from reconciler.state.base import Commit, Revision, StateStore
from reconciler.values import replace
from tests.contract.conftest import SqlitePlace
from tests.memory_store import MemoryStore
from tests.whole_states import export_of, from_text, to_text

if TYPE_CHECKING:
    from reconciler.model.resource import Resource
    from reconciler.state.exported import ExportedEntry, StateExport

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("a", "b", "c", "d-1")


class Place(Protocol):
    def open(self, *, own_clock: bool = False) -> StateStore: ...
    def clear(self) -> None: ...


# Text as documents may have it: anything but control characters and lone surrogates.
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
names = st.sampled_from(NAMES)
references = st.sampled_from(
    [SecretRef("env", "A"), SecretRef("env", "B"), SecretRef("file", "/c")]
)
principals = st.builds(
    Principals,
    users=st.lists(st.sampled_from(["x@y.example", "bob"]), max_size=2).map(tuple),
    groups=st.lists(names, max_size=2).map(tuple),
)
oauth2 = st.builds(
    OAuth2, grant=st.sampled_from(Grant), client_id=st.none() | texts, refresh_token=references
)
servers = st.builds(
    MailServer,
    server=st.none() | texts,
    port=st.none() | st.integers(1, 65535),
    security=st.none() | st.sampled_from(Security),
    username=st.none() | texts,
    password=st.none() | references,
    oauth2=st.none() | oauth2,
)


def connectors(name: str) -> st.SearchStrategy[Resource]:
    return st.builds(
        Connector,
        name=st.just(name),
        display_name=texts,
        imap=st.none() | servers,
        smtp=st.none() | servers,
        enable_mail_send_from=st.booleans(),
        labels=st.lists(st.sampled_from(["hr", "eu"]), max_size=2).map(tuple),
        save_sent=st.sampled_from(SaveSent),
        draft=st.booleans(),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    resources: list[Resource] = []
    for name in NAMES:
        if draw(st.booleans()):
            resources.append(draw(connectors(name)))
        if draw(st.booleans()):
            resources.append(Permissions(connector=name, users=draw(principals)))
        if draw(st.booleans()):
            resources.append(Group(name=name, members=draw(principals)))
    if draw(st.booleans()):
        resources.append(Roles(administrators=draw(principals)))
    if draw(st.booleans()):
        policy = GlobalSmtpPolicy(
            enabled=draw(st.booleans()),
            connector=draw(names),
            reply_to=draw(st.sampled_from(ReplyTo)),
        )
        resources.append(policy)
    return Snapshot.of(tuple(resources))


steps = st.lists(
    st.tuples(
        snapshots(),
        st.lists(st.tuples(names, names), max_size=2).map(tuple),
        st.dictionaries(references, st.sampled_from("0123"), max_size=3),
        st.dictionaries(names, st.booleans(), max_size=2),
    ),
    min_size=1,
    max_size=4,
)


def apply(
    store: StateStore,
    desired: Desired,
    results: dict[str, bool],
) -> Revision:
    base = store.load()
    at = NOON + timedelta(hours=base.serial)
    marks = dict(desired.fingerprints)
    commit = Commit(
        expected_lineage=base.lineage,
        expected_serial=base.serial,
        changes=ordered(differences(desired, base)),
        at=at,
        actor="alice",
        actor_source="os",
        git_commit="",
        tool_version="1",
        plan_digest="",
        fingerprints=tuple(
            (item.name, tuple((ref, marks[ref]) for ref in item.references if ref in marks))
            for item in desired.snapshot.connectors
        ),
        tests=tuple((name, LastTest(passed, at)) for name, passed in results.items()),
    )
    with store.lock(holder="alice", operation="apply") as lock:
        return store.commit(commit, token=lock.lease.token)


def alike(export: StateExport) -> StateExport:
    """An export without what stores have of their own: the lineage, and digests, which memory has none of."""
    revisions = tuple(replace(item, chain="") for item in export.revisions)
    return replace(export, lineage="x", revisions=revisions, digest="")


@settings(
    max_examples=settings().max_examples // 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps)
def test_the_desired_state_is_stored_and_every_store_has_the_same_history(
    place: Place,
    steps: list[
        tuple[Snapshot, tuple[tuple[str, str], ...], dict[SecretRef, str], dict[str, bool]]
    ],
) -> None:
    place.clear()
    store, plain = place.open(), MemoryStore()
    for serial, (snapshot, renames, secrets, results) in enumerate(steps, start=1):
        # Two connectors that claim the same former name are an invalid configuration.
        former = {old: new for new, old in renames}
        marks = tuple((ref, Fingerprint("key", mac)) for ref, mac in secrets.items())
        desired = Desired(snapshot, tuple((new, old) for old, new in former.items()), marks)
        assert apply(store, desired, results) == apply(plain, desired, results)
        state = store.load()
        if isinstance(place, SqlitePlace):
            assert sqlite_reader.load(place.path) == state
        bare = tuple(replace(item, last_test=None) for item in state.resources)
        assert store.load(snapshot.by_address, only_resources=True) == replace(
            state, resources=bare, forgotten=(), credential_uses=()
        )
        assert store.load(snapshot.by_address) == state
        assert plain.load(only_resources=True).resources == bare
        assert state.snapshot == snapshot
        assert state.serial == serial
        assert state.resources == plain.load().resources
        assert differences(Desired(snapshot, desired.renames, marks), state) == ()
        assert store.changes_of(serial) == plain.changes_of(serial)
    assert store.revisions() == plain.revisions()
    for address in {item.address for snapshot, *_ in steps for item in snapshot.resources}:
        assert store.history(address) == plain.history(address)
    assert alike(export_of(store)) == alike(export_of(plain))
    moved_whole(store, place)


def moved_whole(store: StateStore, place: Place) -> None:
    """A state that is moved through a file is the same in any store, and goes on there."""
    before, revisions, text = store.load(), store.revisions(), to_text(export_of(store))
    export = from_text(text)
    place.clear()
    for other in (place.open(), MemoryStore()):
        with other.lock(holder="bob", operation="state import") as lock:
            other.restore(export, token=lock.lease.token)
        assert other.load() == before
        assert other.revisions() == revisions
        if isinstance(other, MemoryStore):
            assert alike(export_of(other)) == alike(export)
        else:
            assert to_text(export_of(other)) == text
        for serial in range(before.serial + 1):
            assert other.past(serial).resources.keys() == {
                item.uid for item in _newest(export, serial) if item.spec is not None
            }
        empty = Desired(Snapshot(), (), ())
        assert apply(other, empty, {}).serial == before.serial + 1
        other.close()


def _newest(export: StateExport, serial: int) -> list[ExportedEntry]:
    return list({item.uid: item for item in export.history if item.serial <= serial}.values())
