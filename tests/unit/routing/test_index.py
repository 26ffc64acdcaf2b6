"""The index answers as a search through the whole snapshot would, in the same order, and expands a group once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.connector import ANY_LOCAL_PART
from reconciler.model.directory import Directory, Group
from reconciler.model.domain import address_key
from reconciler.model.permissions import Permissions, Principals
from reconciler.routing.claims import claimed
from reconciler.routing.decide import route
from reconciler.routing.index import RoutingIndex
from reconciler.routing.request import RouteRequest
from reconciler.routing.senders import domain_pattern, is_pattern
from reconciler.routing.spelling import normal_address
from reconciler.values import replace
from tests.builders import connector, snapshot
from tests.strategies import ADDRESSES, NAMES, PEOPLE, snapshots

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from reconciler.model.connector import Connector
    from reconciler.model.snapshot import Snapshot

_WHOLE = f"{ANY_LOCAL_PART}@"


class Search(RoutingIndex):
    """The same answers, found by looking at every resource from the first to the last."""

    def connector(self, name: str) -> Connector | None:
        return next((item for item in self.snapshot.connectors if item.name == name), None)

    def permissions_of(self, connector: str) -> Permissions:
        found = (item for item in self.snapshot.permissions if item.connector == connector)
        return next(found, Permissions(connector=connector))

    def refusal(self, connector: str, actor: str) -> str:
        permissions, directory = self.permissions_of(connector), self.snapshot.directory
        if not directory.is_internal(actor) and not permissions.enable_b2b:
            return f"{actor} is an external partner, but {connector} has not enabled B2B"
        if permissions.users and address_key(actor) not in directory.expand(permissions.users):
            return f"{actor} is not among the users of {connector}"
        return ""

    def owner_of(self, sender: str) -> Connector | None:
        if is_pattern(sender):
            return None
        key, pattern = address_key(sender), domain_pattern(sender)
        listed = whole_domain = None
        for item in self.snapshot.connectors:
            if not item.can_send:
                continue
            if address_key(item.email_address or "") == key:
                return item
            further = {address_key(address) for address in item.also_sends_as}
            listed = listed or (item if key in further else None)
            whole_domain = whole_domain or (item if pattern in further else None)
        return listed or whole_domain

    def owners(self, found: set[str]) -> Iterator[tuple[str, str, Connector]]:
        named: set[str] = set()
        whole: list[tuple[str, Connector]] = []
        for item in self.snapshot.connectors:
            own = (item.email_address,) if item.email_address is not None else ()
            for text in (*own, *item.also_sends_as):
                address = normal_address(text)
                if address.startswith(_WHOLE):
                    whole.append((address.removeprefix(ANY_LOCAL_PART), item))
                elif address in found:
                    named.add(address)
                    yield address, text, item
        for domain, item in whole:
            for address in sorted(found - named):
                if address.endswith(domain):
                    yield address, address, item


_SENDERS = (
    *ADDRESSES,
    "orders@in.example",
    "anybody@SHOP.example",
    "*@shop.example",
    "x@else.example",
    "",
)
_TEXTS = (*_SENDERS, "Payroll <payroll@in.example>", "anybody@shop.example, info@in.example")


@given(
    world=snapshots(),
    actor=st.sampled_from(PEOPLE),
    sender=st.sampled_from((None, *_SENDERS)),
    named=st.sampled_from((None, *NAMES)),
    reply_to=st.sampled_from((None, *ADDRESSES)),
)
def test_a_decision_equals_that_of_a_search(
    world: Snapshot, actor: str, sender: str | None, named: str | None, reply_to: str | None
) -> None:
    request = RouteRequest(actor=actor, sender=sender, connector=named, reply_to=reply_to)
    assert route(request, RoutingIndex(world)) == route(request, Search(world))


@given(
    world=snapshots(),
    actor=st.sampled_from(PEOPLE),
    texts=st.lists(st.sampled_from(_TEXTS), max_size=3),
)
def test_claims_equal_those_of_a_linear_search(
    world: Snapshot, actor: str, texts: list[str]
) -> None:
    assert claimed(texts, actor, RoutingIndex(world)) == claimed(texts, actor, Search(world))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every name whose spelling the directory works out from now on."""
    spelled: list[str] = []

    def key(text: str) -> str:
        spelled.append(text)
        return text.lower()

    monkeypatch.setattr("reconciler.model.directory.address_key", key)
    return spelled


def test_a_group_is_expanded_once_however_many_mails_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    staff = Group(
        name="staff", members=Principals(users=tuple(f"u{n}@contoso.example" for n in range(50)))
    )
    allowed = Permissions(connector="info", users=Principals(groups=("staff",)))
    index = RoutingIndex(snapshot(connector("info"), staff, allowed))
    spelled = counted(monkeypatch)
    for number in range(10):
        assert index.refusal("info", f"U{number}@contoso.example") == ""
    assert index.refusal("info", "eve@contoso.example")
    assert len(spelled) == 50 + 11


def test_people_who_are_named_one_by_one_are_spelled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Principals(users=tuple(f"u{n}@contoso.example" for n in range(50)))
    directory = Directory((), None)
    spelled = counted(monkeypatch)
    assert directory.includes(crowd, "u1@contoso.example")
    assert not directory.includes(crowd, "eve@contoso.example")
    assert not directory.includes(replace(crowd, users=()), "u1@contoso.example")
    assert len(spelled) == 50 + 3
