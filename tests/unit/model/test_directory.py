from __future__ import annotations

import pytest

from reconciler.model.directory import Directory, Group, Roles
from reconciler.model.permissions import NOBODY, Principals
from tests.builders import connector, receiving


def group(name: str, *users: str, groups: tuple[str, ...] = ()) -> Group:
    return Group(name=name, members=Principals(users=users, groups=groups))


def test_members_are_those_of_the_groups_within_it_too() -> None:
    directory = Directory(
        [group("a", "x", groups=("b",)), group("b", "y", groups=("c",)), group("c", "z")], None
    )
    assert directory.members("a") == {"x", "y", "z"}
    assert directory.members("b") == {"y", "z"}


def test_a_cycle_terminates() -> None:
    directory = Directory([group("a", "x", groups=("b",)), group("b", "y", groups=("a",))], None)
    assert directory.members("a") == directory.members("b") == {"x", "y"}
    assert Directory([group("a", "x", groups=("a",))], None).members("a") == {"x"}


def test_a_long_chain_of_groups_is_followed_to_its_end() -> None:
    chain = [group(f"g{n}", f"u{n}", groups=(f"g{n + 1}",)) for n in range(5000)]
    assert len(Directory(chain, None).members("g0")) == 5000


def test_an_unknown_group_has_no_members() -> None:
    assert Directory([], None).members("a") == frozenset()


def test_case_makes_no_difference() -> None:
    directory = Directory([group("a", "Ada@Example.com", "STRASSE@example.com")], None)
    assert directory.includes(Principals(groups=("a",)), "ada@example.COM")
    assert not directory.includes(Principals(groups=("a",)), "straße@example.com")
    assert directory.includes(Principals(users=("GRACE",)), "grace")
    assert not directory.includes(NOBODY, "ada@example.com")


def test_principals_are_users_and_everybody_in_groups() -> None:
    directory = Directory([group("a", "x"), group("b", "y")], None)
    assert directory.expand(Principals(users=("Z",), groups=("a", "b"))) == {"x", "y", "z"}
    assert directory.expand(NOBODY) == frozenset()


def test_partners_are_those_from_elsewhere_named_or_in_groups() -> None:
    inner = group("b", "grace@Partner.example", "alan@contoso.example")
    directory = Directory(
        [group("a", "ada@contoso.example", "ci-runner", groups=("b",)), inner],
        Roles(internal_domains=("contoso.example",)),
    )
    everybody = Principals(users=("Eve@elsewhere.example", "bob@contoso.example"), groups=("a",))
    expected = {"eve@elsewhere.example", "grace@partner.example"}
    assert directory.partners(everybody) == directory.partners(everybody) == expected
    assert directory.partners(NOBODY) == frozenset()


@pytest.mark.parametrize(
    ("domains", "user", "internal"),
    [
        ((), "ada@example.com", False),
        ((), "ci-runner", True),
        (("straße.example",), "ada@xn--strae-oqa.example", True),
        (("straße.example",), "ada@strasse.example", False),
        (("contoso.example",), "ada@Contoso.example", True),
        (("contoso.example",), "ada@example.com", False),
        (("contoso.example",), "ada@mail.contoso.example", False),
        (("contoso.example",), "ci-runner", True),
        (("contoso.example",), "a@b@contoso.example", True),
    ],
)
def test_internal_is_who_has_an_address_in_one_of_the_domains(
    domains: tuple[str, ...], user: str, internal: bool
) -> None:
    assert Directory([], Roles(internal_domains=domains)).is_internal(user) is internal


def test_without_declared_domains_those_of_the_connectors_are_internal() -> None:
    connectors = [
        connector("info", also_sends_as=("*@shop.example",)),
        receiving("archive"),
        connector("later", draft=True, email_address="a@later.example"),
    ]
    for roles in (None, Roles()):
        directory = Directory([], roles, connectors)
        assert directory.is_internal("ada@Contoso.example")
        assert directory.is_internal("ada@shop.example")
        assert directory.is_internal("ci-runner")
        assert not directory.is_internal("mallory@example.com")
    declared = Directory([], Roles(internal_domains=("example.com",)), connectors)
    assert declared.is_internal("ada@example.com")
    assert not declared.is_internal("ada@contoso.example")


def test_one_name_in_two_spellings_of_unicode_is_one_user() -> None:
    composed, decomposed = "ren\u00e9e@contoso.example", "rene\u0301e@contoso.example"
    for written, asked in ((composed, decomposed), (decomposed, composed),
                           (composed.upper(), decomposed), ("ren\u00e9e", "REN\u0045\u0301E")):  # fmt: skip
        directory = Directory((group("hr", written),), None)
        assert directory.includes(Principals(groups=("hr",)), asked)
        assert directory.includes(Principals(users=(written,)), asked)
        assert not directory.includes(Principals(users=(written,)), "renee@contoso.example")
