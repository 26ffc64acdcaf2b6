"""One account that sends as several addresses, or as all of a domain."""

from __future__ import annotations

from typing import Final

import pytest

from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.routing.claims import claimed
from reconciler.routing.decide import route
from reconciler.routing.index import RoutingIndex
from reconciler.routing.reason import Reason, RefusalReason
from reconciler.routing.request import Refusal, Route, RouteRequest
from reconciler.routing.senders import sends_as
from reconciler.routing.table import effective_routes
from reconciler.values import replace
from tests.builders import connector, permissions, roles, snapshot, users

ADA: Final = "ada@contoso.example"
EVE: Final = "eve@contoso.example"
SHOP: Final = connector("shop", also_sends_as=("orders@contoso.example", "*@shop.example"))
SALES: Final = connector("sales", email_address="sales@shop.example")
EVERYTHING: Final = snapshot(
    SHOP,
    SALES,
    permissions("shop", users=users(ADA)),
    permissions("sales", users=users(EVE)),
    roles("root@contoso.example", internal=("contoso.example",)),
)


def routed(sender: str, actor: str = ADA, **fields: str) -> Route:
    found = route(RouteRequest(actor=actor, sender=sender, **fields), RoutingIndex(EVERYTHING))
    assert isinstance(found, Route), found
    return found


@pytest.mark.parametrize(
    ("sender", "as_address"),
    [
        ("orders@contoso.example", "orders@contoso.example"),
        ("Orders@CONTOSO.example", "orders@contoso.example"),
        ("anybody@shop.example", "anybody@shop.example"),
        ("first.last+tag@Shop.Example", "first.last+tag@Shop.Example"),
        ("grüße@shop.example", "grüße@shop.example"),
    ],
)
def test_an_additional_address_is_kept_in_from(sender: str, as_address: str) -> None:
    found = routed(sender)
    assert (found.connector, found.reason) == ("shop", Reason.SENDER)
    assert found.from_address == as_address
    assert found.original_from is None
    assert found.reply_to is None
    assert routed(sender, connector="shop").from_address == as_address


def test_an_address_that_a_connector_names_is_not_part_of_the_domain_of_another() -> None:
    owner = RoutingIndex(EVERYTHING).owner_of("sales@SHOP.example")
    assert owner is not None
    assert owner.name == "sales"
    assert routed("sales@shop.example", actor=EVE).connector == "sales"
    refused = route(RouteRequest(actor=ADA, sender="sales@shop.example"), RoutingIndex(EVERYTHING))
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.NOT_PERMITTED


@pytest.mark.parametrize(
    "sender",
    [
        "a@deep.shop.example",
        "a@notshop.example",
        "shop.example",
        "@shop.example",
        "*@shop.example",
        "a@evil.example,b@shop.example",
        '"a"@shop.example',
        "Ada <a@shop.example>",
        "a@evil.example@shop.example",
        "=?utf-8?q?a=40evil.example=2C?=@shop.example",
        "a(comment)@shop.example",
        "a b@shop.example",
    ],
)
def test_an_unusual_address_does_not_count_as_one_of_the_domain(sender: str) -> None:
    assert not sends_as(SHOP, sender)
    found = route(RouteRequest(actor=ADA, sender=sender), RoutingIndex(snapshot(SHOP)))
    assert isinstance(found, Refusal) or found.from_address != sender


@pytest.mark.parametrize(
    "text", ["orders@contoso.example", "Boss <boss@shop.example>", "boss (at) x, b@SHOP.EXAMPLE"]
)
def test_additional_addresses_are_reserved(text: str) -> None:
    assert claimed([text], EVE, RoutingIndex(EVERYTHING))
    assert not claimed([text], ADA, RoutingIndex(EVERYTHING))


def test_a_listed_address_is_not_reserved_by_the_domain_of_another() -> None:
    assert claimed(["sales@shop.example"], ADA, RoutingIndex(EVERYTHING))
    assert not claimed(["sales@shop.example"], EVE, RoutingIndex(EVERYTHING))


def test_a_policy_forces_additional_addresses_through_its_connector_as_its_own_address() -> None:
    policy = GlobalSmtpPolicy(enabled=True, connector="shop")
    forced = snapshot(SHOP, policy)
    found = route(RouteRequest(actor=ADA, sender="orders@contoso.example"), RoutingIndex(forced))
    assert isinstance(found, Route)
    assert found.from_address == "shop@contoso.example"
    assert found.original_from == "orders@contoso.example"
    assert {row.as_address for row in effective_routes(forced)} == {"shop@contoso.example"}


def test_the_table_has_a_row_for_each_address_and_each_domain() -> None:
    rows = {row.sender: row.destination for row in effective_routes(EVERYTHING)[:-1]}
    assert rows == {
        "shop@contoso.example": ("shop", "shop@contoso.example"),
        "orders@contoso.example": ("shop", "orders@contoso.example"),
        "*@shop.example": ("shop", "*@shop.example"),
        "sales@shop.example": ("sales", "sales@shop.example"),
    }


def test_own_addresses_precede_additional_ones_whatever_the_names() -> None:
    first = replace(SHOP, name="a", also_sends_as=("info@contoso.example",))
    own = connector("info")
    owner = RoutingIndex(snapshot(first, own)).owner_of("info@contoso.example")
    assert owner == own
    rows = effective_routes(snapshot(first, own))
    assert ("info@contoso.example", "info") in {(row.sender, row.via) for row in rows}


def test_domains_that_differ_in_one_letter_are_two() -> None:
    street = connector("street", also_sends_as=("*@straße.example",))
    assert sends_as(street, "a@xn--strae-oqa.example")
    assert not sends_as(street, "a@strasse.example")
    assert sends_as(street, "a@STRAẞE.example")


def test_replies_go_to_the_connectors_address_unless_the_mail_sets_another() -> None:
    answering = replace(SHOP, reply_to="help@contoso.example")
    given = snapshot(answering)
    for sender, reply_to, expected in (
        (None, None, "help@contoso.example"),
        ("orders@contoso.example", None, "help@contoso.example"),
        ("orders@contoso.example", "ada@x.example", "ada@x.example"),
        ("ada@contoso.example", None, "ada@contoso.example"),
    ):
        request = RouteRequest(actor=ADA, connector="shop", sender=sender, reply_to=reply_to)
        found = route(request, RoutingIndex(given))
        assert isinstance(found, Route)
        assert found.reply_to == expected


def test_replies_go_to_the_sending_connectors_address_under_a_policy_too() -> None:
    carrier = connector("no-reply", reply_to="office@contoso.example")
    answering = replace(SHOP, reply_to="help@contoso.example")
    policy = GlobalSmtpPolicy(enabled=True, connector="no-reply")
    forced = snapshot(carrier, answering, policy)
    for fields, expected in (
        ({"sender": "shop@contoso.example"}, "help@contoso.example"),
        ({"connector": "shop"}, "help@contoso.example"),
        ({"sender": "ada@contoso.example"}, "ada@contoso.example"),
        ({}, "office@contoso.example"),
    ):
        found = route(RouteRequest(actor=ADA, **fields), RoutingIndex(forced))
        assert isinstance(found, Route)
        assert found.reply_to == expected
