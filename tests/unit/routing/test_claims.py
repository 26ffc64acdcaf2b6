"""An address of a connector is recognised however it is written, and free to its users."""

from __future__ import annotations

from email.header import Header
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import NotAuthorised
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.snapshot import Snapshot
from reconciler.routing.claims import AUTHOR_FIELDS, claimed
from reconciler.routing.decide import route
from reconciler.routing.index import RoutingIndex
from reconciler.routing.reason import RefusalReason
from reconciler.routing.request import Refusal, RouteRequest
from reconciler.routing.spelling import normal_address
from reconciler.sending.message import Message, RawMessage
from reconciler.sending.prepare import SendRequest, prepare
from tests.builders import connector, permissions, roles, users
from tests.unit.sending.test_raw import STAMP

ADA: Final = "ada@contoso.example"
JOAN: Final = "joan@contoso.example"
PAYROLL: Final = "payroll@contoso.example"
SNAPSHOT: Final = Snapshot.of(
    (
        roles("root@contoso.example", internal=("contoso.example",)),
        connector("no-reply"),
        connector("payroll"),
        permissions("payroll", users=users(JOAN)),
        GlobalSmtpPolicy(fallback_connector="no-reply"),
    )
)
FORCED: Final = Snapshot.of(
    (
        *(item for item in SNAPSHOT.resources if not isinstance(item, GlobalSmtpPolicy)),
        GlobalSmtpPolicy(enabled=True, connector="no-reply"),
    )
)
SPELLINGS: Final = (
    PAYROLL,
    "PayRoll@Contoso.Example",
    '"payroll"@contoso.example',
    '"pay\\roll"@contoso.example',
    "'payroll'@contoso.example",
    "payroll@contoso.example.",
    "payroll @ contoso . example",
    "payroll@ contoso.example",
    "<payroll@contoso.example>",
    "Pay Roll <payroll@contoso.example>",
    "payroll@contoso.example <ada@contoso.example>",
    '"payroll@contoso.example" <ada@elsewhere.example>',
    "ada@contoso.example (payroll@contoso.example)",
    "payroll(really)@contoso.example",
    "pay(x)roll@contoso.example <ada@x.example>, payroll@contoso.example",
    "Team: payroll@contoso.example, ada@contoso.example;",
    "\uff50\uff41\uff59\uff52\uff4f\uff4c\uff4c@contoso.example",
    "payroll\uff20contoso.example",
    "payroll@contoso\u3002example",
    "payroll@contoso\uff0eexample",
    "pay\u200broll@contoso.example",
    "pay\u00adroll@contoso.example",
    "\u202epayroll@contoso.example",
    "pay\ufe0froll@contoso.example",
    "pay\u034froll@contoso.example",
    "\u2018payroll\u2019@contoso.example",
    "\U0001d429\U0001d41a\U0001d432\U0001d42b\U0001d428\U0001d425\U0001d425@contoso.example",
    "=?utf-8?q?payroll=40contoso=2Eexample?= <ada@contoso.example>",
    "=?utf-8?b?cGF5cm9sbEBjb250b3NvLmV4YW1wbGU=?= <ada@contoso.example>",
    "=?us-ascii?q?payroll=40?= =?us-ascii?q?contoso.example?=",
    "payroll@contoso.example,ada@contoso.example",
    "mailto:payroll@contoso.example",
    "payroll@\r\n contoso.example",
    "payroll(a(b)c)@contoso.example",
    "payroll@(a(b(c)))contoso.example",
    "=?x-nonsense?q?a?= =?utf-8?q?payroll=40contoso=2Eexample?= <ada@contoso.example>",
    "=?utf-8?q?=ff?= =?utf-8?q?payroll=40contoso=2Eexample?=",
    "=?utf-8?b?!?= =?utf-8?q?payroll=40contoso=2Eexample?= <ada@x.example>",
    "=?utf-8*en?q?payroll=40contoso=2Eexample?= <ada@x.example>",
    "=?utf-8?q?pay?=roll@contoso.example",
    "pay=?utf-8?q?roll?=@contoso.example",
    '"a(" <payroll(x(y))@contoso.example> ")"',
    "payroll@[contoso.example]",
    "payroll@contoso.example/x",
    "payroll@contoso.example!",
    "payroll@contoso.example-",
    "a=payroll@contoso.example",
    "{payroll@contoso.example}",
    "|payroll@contoso.example|",
    "via payroll@contoso.example\u2014x",
    "\u300cpayroll@contoso.example\u300d",
    "payroll@contoso.example\u3001x",
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_spelling_of_the_address_is_a_claim(text: str) -> None:
    sentence = claimed([text], ADA, RoutingIndex(SNAPSHOT))
    assert sentence == f"{PAYROLL} is claimed, and {ADA} is not among the users of payroll"
    assert claimed([text], JOAN, RoutingIndex(SNAPSHOT)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "payroll",
        "my-payroll@contoso.example",
        "payroll@contoso.example.org",
        "payroll@elsewhere.example",
        "payroll+x@contoso.example",
        "x.payroll@contoso.example",
        "payroll@contoso.example-x",
        "payroll@x.contoso.example",
        "=?undefined?q?a?= =?hex?b?!!!?= <ada@contoso.example>",
        "no-reply@contoso.example",
        "M\u00fcller <mueller@elsewhere.example>",
        "=?x-nonsense?q?a?= <ada@contoso.example>",
    ],
)
def test_another_address_is_not_a_claim(text: str) -> None:
    assert claimed([text], ADA, RoutingIndex(SNAPSHOT)) == ""


@given(
    st.lists(
        st.sampled_from(["", "\u200b", "\u00ad", "\u2060", "\ufeff"]), min_size=23, max_size=23
    ),
    st.sampled_from([str.upper, str.lower, str.title]),
    st.booleans(),
    st.sampled_from(["{}", "Ada <{}>", '"{}" <ada@x.example>', "a@x.example, {}"]),
)
def test_no_invisible_character_case_or_place_hides_a_claim(
    between: list[str], case: object, encoded: bool, place: str
) -> None:
    assert callable(case)
    address = "".join(a + b for a, b in zip(case(PAYROLL), between, strict=True))
    text = place.format(address)
    if encoded:
        text = Header(text, "utf-8").encode()
    assert claimed([text], ADA, RoutingIndex(SNAPSHOT)) != ""


@pytest.mark.parametrize("snapshot", [SNAPSHOT, FORCED])
@pytest.mark.parametrize("field", ["sender", "reply_to"])
@pytest.mark.parametrize("spelling", [PAYROLL, SPELLINGS[2], SPELLINGS[16]])
def test_the_route_refuses_a_claim_with_a_policy_and_without(
    snapshot: Snapshot, field: str, spelling: str
) -> None:
    asked = {"sender": None, "reply_to": None, field: spelling}
    decision = route(RouteRequest(actor=ADA, connector="no-reply", **asked), RoutingIndex(snapshot))
    assert isinstance(decision, Refusal)
    assert decision.reason is RefusalReason.NOT_PERMITTED
    allowed = route(RouteRequest(actor=JOAN, connector="no-reply", **asked), RoutingIndex(snapshot))
    assert not isinstance(allowed, Refusal)


@pytest.mark.parametrize("snapshot", [SNAPSHOT, FORCED])
@pytest.mark.parametrize("name", sorted(AUTHOR_FIELDS))
@pytest.mark.parametrize(
    "spelled", ["{}: {}", "{} : {}", "{}:\r\n {}", "Subject: x\r\n{}: a@x.example\r\n{}: {}"]
)
def test_no_field_of_a_complete_mail_claims_it(snapshot: Snapshot, name: str, spelled: str) -> None:
    texts = (
        (name.title(), name.upper(), SPELLINGS[11])
        if spelled.count("{}") == 3
        else (name.title(), SPELLINGS[11])
    )
    content = f"To: x@y.example\r\n{spelled.format(*texts)}\r\n\r\nhello\r\n".encode()
    request = SendRequest(
        message=RawMessage(content),
        actor=ADA,
        sender="no-reply@contoso.example",
        connector="no-reply",
    )
    with pytest.raises(NotAuthorised, match="is claimed"):
        prepare(request, RoutingIndex(snapshot), STAMP)


def test_no_name_and_no_other_field_of_a_composed_mail_claims_it() -> None:
    for message in (
        Message(to=("x@y.example",), subject="s", text="t", from_name=PAYROLL),
        Message(to=("x@y.example",), subject="s", text="t", headers=(("Errors-To", PAYROLL),)),
    ):
        with pytest.raises(NotAuthorised, match="is claimed"):
            prepare(
                SendRequest(message=message, actor=ADA, connector="no-reply"),
                RoutingIndex(SNAPSHOT),
                STAMP,
            )


def test_an_address_of_two_connectors_is_free_to_the_users_of_either() -> None:
    twin = Snapshot.of(
        (
            *SNAPSHOT.resources,
            connector("zz", email_address=PAYROLL),
            permissions("zz", users=users(ADA)),
        )
    )
    assert claimed([PAYROLL], ADA, RoutingIndex(twin)) == ""
    assert claimed([PAYROLL], "eve@contoso.example", RoutingIndex(twin)) != ""


def test_fields_of_absurd_length_are_refused_and_not_looked_through() -> None:
    assert "8,000 characters" in claimed(["a." * 5_000], JOAN, RoutingIndex(SNAPSHOT))
    assert "8,000 characters" in claimed(["(a" * 50] * 100, JOAN, RoutingIndex(SNAPSHOT))
    assert claimed(["-" * 7_000], JOAN, RoutingIndex(SNAPSHOT)) == ""


def test_an_address_has_one_normal_spelling() -> None:
    assert normal_address('"A b"@X.Example.') == "a b@x.example"
