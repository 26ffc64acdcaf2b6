"""The excerpt for one mail routes it like the whole state, whatever was applied, for any sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from reconciler.errors import StateCorrupt
from reconciler.model.connector import Connector
from reconciler.model.directory import Group
from reconciler.model.permissions import Principals
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.snapshot import Snapshot
from reconciler.plan.changes import Create, Delete, Rename, Update
from reconciler.plan.diff import differences
from reconciler.plan.inputs import Desired
from reconciler.routing import keys
from reconciler.routing.claims import claimed
from reconciler.routing.decide import route
from reconciler.routing.index import RoutingIndex
from reconciler.routing.keys import RoutingNeeds, needs_of
from reconciler.routing.request import Refusal, Route, RouteRequest
from reconciler.state.sql import tables
from reconciler.state.sqlite_mail import SqliteMailState
from reconciler.values import replace
from tests.builders import application, connector, group, groups, permissions, snapshot
from tests.contract.conftest import SqlitePlace
from tests.strategies import ADDRESSES, NAMES, PEOPLE, snapshots, some

if TYPE_CHECKING:
    from reconciler.model.resource import Resource
    from reconciler.state.base import StateStore
    from reconciler.state.sql.store import SqlStore
    from tests.contract.conftest import Apply


class Place(Protocol):
    def open(self, *, own_clock: bool = False) -> StateStore: ...
    def clear(self) -> None: ...
    def empty(self) -> None: ...


databases = pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("postgresql", marks=pytest.mark.server)], indirect=True
)

# Spellings that only meet once they are folded, composed or encoded.
_FURTHER = (
    "Päyroll@bücher.example",
    "PA\u0308YROLL@xn--bcher-kva.example",
    "\uff30AYROLL@in.example",
    "o'neil@in.example",
    "*@BÜCHER.example",
)
_PEOPLE = (*PEOPLE, "ådä@bücher.example", "a\u030adä@xn--bcher-kva.example")
_SENDERS = (*ADDRESSES, *_FURTHER, "orders@in.example", "any@shop.example", "*@shop.example", "")
_TEXTS = (
    *_SENDERS,
    "Payroll <payroll@in.example>",
    "any@shop.example, info@in.example",
    "“Payroll”@in.example",
    "a." * 5_000,
)


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """A snapshot that also has non-ASCII addresses and members."""
    found: list[Resource] = []
    for item in draw(snapshots()).resources:
        if isinstance(item, Connector) and draw(st.booleans()):
            item = replace(item, also_sends_as=draw(some(_FURTHER)))  # noqa: PLW2901 - the same with more
        elif isinstance(item, Group) and draw(st.booleans()):
            more = Principals(users=draw(some(_PEOPLE, 3)), groups=item.members.groups)
            item = replace(item, members=more)  # noqa: PLW2901 - likewise
        found.append(item)
    return Snapshot.of(tuple(found))


def bring(store: StateStore, world: Snapshot, apply: Apply) -> None:
    desired = Desired(world)
    changes = differences(desired, store.load())
    apply(store, *changes)


@databases
@pytest.mark.timeout(600)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    applied=st.lists(worlds(), min_size=1, max_size=3),
    actor=st.sampled_from(_PEOPLE),
    asked=st.lists(
        st.tuples(
            st.sampled_from((None, *_SENDERS)),
            st.sampled_from((None, *NAMES, "*", "x'; --")),
            st.sampled_from((None, *ADDRESSES)),
            st.lists(st.sampled_from(_TEXTS), max_size=3),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_a_mail_is_routed_as_with_the_whole_state(
    place: Place,
    apply: Apply,
    applied: list[Snapshot],
    actor: str,
    asked: list[tuple[str | None, str | None, str | None, list[str]]],
) -> None:
    place.empty()
    store = place.open()
    for world in applied:
        bring(store, world, apply)
    whole = RoutingIndex(store.load().snapshot)
    for sender, named, reply_to, texts in asked:
        request = RouteRequest(actor=actor, sender=sender, connector=named, reply_to=reply_to)
        excerpt = store.routing(needs_of(request, texts))
        assert excerpt is not None
        index = excerpt.index()
        decision = route(request, whole)
        assert route(request, index) == decision
        assert claimed(texts, actor, index) == claimed(texts, actor, whole)
        if isinstance(decision, Route):
            assert index.connector(decision.connector) == whole.connector(decision.connector)
        if isinstance(place, SqlitePlace):
            assert (
                SqliteMailState(place.path, unopened).routing(needs_of(request, texts)) == excerpt
            )
    assert store.check() == ()
    store.close()


def unopened() -> NoReturn:
    """Refuses to open the whole store."""
    raise AssertionError("the driver alone should have been enough")


def decided(store: StateStore, **asked: str) -> Route | Refusal:
    request = RouteRequest(**{"actor": "ada@contoso.example", **asked})
    excerpt = store.routing(needs_of(request))
    assert excerpt is not None
    return route(request, excerpt.index())


INFO = connector("info")
STAFF = group("staff", "ada@contoso.example", "bob@contoso.example")
ALLOWED = permissions("info", users=groups("all"))


def test_unrelated_resources_are_not_read(place: Place, apply: Apply) -> None:
    store = place.open()
    others = [Create(connector(f"other-{number}")) for number in range(20)]
    apply(
        store,
        Create(STAFF),
        Create(group("all", within=("staff",))),
        Create(INFO),
        Create(ALLOWED),
        *others,
    )
    request = RouteRequest(actor="Bob@contoso.example", sender="info@contoso.example")
    excerpt = store.routing(needs_of(request))
    assert excerpt is not None
    if type(store).__name__ == "MemoryStore":
        return  # which gives everything
    assert excerpt.snapshot == snapshot(INFO, ALLOWED, group("all", "Bob@contoso.example"))
    assert excerpt.internal_domains == {"contoso.example"}


def test_renamed_changed_and_deleted_resources_are_found_as_they_are_now(
    place: Place, apply: Apply
) -> None:
    store = place.open()
    apply(
        store, Create(STAFF), Create(group("all", within=("staff",))), Create(INFO), Create(ALLOWED)
    )
    assert isinstance(decided(store, sender="info@contoso.example"), Route)
    moved = replace(STAFF, name="people")
    apply(
        store,
        Rename(STAFF, moved, ()),
        Update(group("all", within=("staff",)), group("all", within=("people",)), ()),
    )
    assert isinstance(decided(store, sender="info@contoso.example"), Route)
    apply(store, Update(moved, group("people", "bob@contoso.example"), ()))
    assert isinstance(decided(store, sender="info@contoso.example"), Refusal)
    assert isinstance(
        decided(store, sender="info@contoso.example", actor="bob@contoso.example"), Route
    )
    apply(store, Update(INFO, replace(INFO, email_address="office@contoso.example"), ()))
    assert isinstance(decided(store, sender="info@contoso.example"), Refusal)
    apply(store, Delete(ALLOWED), Delete(replace(INFO, email_address="office@contoso.example")))
    assert isinstance(decided(store, sender="office@contoso.example"), Refusal)
    assert store.check() == ()


def test_an_application_is_found_by_its_name(place: Place, apply: Apply) -> None:
    store = place.open()
    apply(store, Create(application("shop")))
    for name in ("shop", "SHOP", "shop'", "sh\0p", "sh\udcffop", ""):
        excerpt = store.routing(RoutingNeeds(application=name))
        assert excerpt is not None
        assert (excerpt.index().application(name) is not None) is (name == "shop")


def test_nothing_is_read_from_a_state_without_an_apply(place: Place) -> None:
    assert place.open().routing(RoutingNeeds(actor="ada@contoso.example")) is None


def test_senders_that_no_database_can_store_are_looked_up(place: Place, apply: Apply) -> None:
    store = place.open()
    apply(store, Create(INFO))
    for sender in (
        "in\0fo@contoso.example",
        "in\udcfffo@contoso.example",
        f"{'ä' * 9_000}@x.example",
    ):
        assert isinstance(decided(store, sender=sender), Refusal)
        assert isinstance(
            decided(store, actor=sender, sender="info@contoso.example"), Refusal | Route
        )


def test_a_member_with_a_very_long_name_is_found(place: Place, apply: Apply) -> None:
    store, long = place.open(), "\U0001d160" * 254  # three characters each once it is composed
    apply(store, Create(group("all", long)), Create(INFO), Create(ALLOWED))
    assert isinstance(decided(store, sender="info@contoso.example", actor=long), Route)


@databases
def test_a_changed_key_is_not_trusted(place: Place, apply: Apply) -> None:
    store = place.open()
    apply(
        store, Create(STAFF), Create(group("all", within=("staff",))), Create(INFO), Create(ALLOWED)
    )
    rows = tables.routing_keys
    with cast("SqlStore", store)._database.sql_transaction() as connection:
        connection.execute(
            update(rows)
            .where(rows.c.key == "bob@contoso.example")
            .values(key="eve@contoso.example")
        )
    with pytest.raises(StateCorrupt, match="key"):
        decided(store, sender="info@contoso.example", actor="eve@contoso.example")
    assert any("Group.staff" in problem for problem in store.check())


@databases
def test_the_check_reports_a_missing_key(place: Place, apply: Apply) -> None:
    store = place.open()
    apply(store, Create(INFO))
    with cast("SqlStore", store)._database.sql_transaction() as connection:
        connection.execute(
            delete(tables.routing_keys).where(tables.routing_keys.c.role == "address")
        )
    (problem,) = store.check()
    assert "EmailConnector.info" in problem


@databases
def test_keys_of_another_release_are_not_used_and_the_next_apply_rewrites_them(
    place: Place, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = place.open()
    apply(store, Create(STAFF), Create(INFO))
    needs = needs_of(RouteRequest(actor="ada@contoso.example", sender="info@contoso.example"))
    assert store.routing(needs) is not None
    monkeypatch.setattr(keys, "_EDITION", "2")
    assert store.routing(needs) is None
    apply(store, Create(GlobalSmtpPolicy()))
    assert store.routing(needs) is not None


@databases
def test_keys_made_with_another_unicode_are_used_only_if_they_are_ascii(
    place: Place, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = place.open()
    apply(store, Create(INFO))
    needs = needs_of(RouteRequest(actor="ada@contoso.example", sender="info@contoso.example"))
    with monkeypatch.context() as other:
        other.setattr("unicodedata.unidata_version", "99.0.0")
        assert store.routing(needs) is not None
    apply(store, Create(connector("umlaut", email_address="büro@contoso.example")))
    assert store.routing(needs) is not None
    monkeypatch.setattr("unicodedata.unidata_version", "99.0.0")
    assert store.routing(needs) is None


@databases
def test_a_large_group_is_changed_by_as_many_rows_as_members_change(
    place: Place, apply: Apply
) -> None:
    store = place.open()
    names = tuple(f"user-{number}@contoso.example" for number in range(1200))
    before, after = group("staff", *names), group("staff", *names[1:], "new@contoso.example")
    apply(store, Create(before))
    apply(store, Update(before, after, ()))
    with cast("SqlStore", store)._database.sql_view() as view:
        assert view is not None
        found = set(view.execute(select(tables.routing_keys.c.key)).scalars())
    assert found == {*names[1:], "new@contoso.example"}
    assert store.check() == ()
