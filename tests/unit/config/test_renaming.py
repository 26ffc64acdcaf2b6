"""The names in a text change, and nothing else."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Final

import pytest

from reconciler.config.compose import compose
from reconciler.config.documents import TYPES
from reconciler.config.renaming import ANY_ITEM, NAMES, RenamedText, rename_in
from reconciler.config.variables import Variables
from reconciler.model.address import Address, Kind
from reconciler.model.constraints import Matches
from reconciler.model.fields import NAME_PATTERN, PROVIDER_NAME_PATTERN

INFO: Final = Address(Kind.EMAIL_CONNECTOR, "info")
HR: Final = Address(Kind.GROUP, "hr")
NONE: Final = Variables()


def renamed(
    text: str, address: Address = INFO, new: str = "desk", variables: Variables = NONE
) -> RenamedText:
    """Rename in one text."""
    return rename_in(text, "a.yaml", address, new, (variables,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# info\nkind: EmailConnector\nname:   info   # info\nlabels: [info]\n",
            "# info\nkind: EmailConnector\nname:   desk   # info\nrenamed_from: info\nlabels: [info]\n",
        ),
        (
            "---\nkind: EmailConnector\r\nname: 'info'\r\n---\nkind: Permissions\nconnector: \"info\"\n",
            "---\nkind: EmailConnector\r\nname: 'desk'\r\nrenamed_from: info\r\n---\nkind: Permissions\nconnector: \"desk\"\n",
        ),
        (
            "  kind: EmailConnector\n  name:\n    info",
            "  kind: EmailConnector\n  name:\n    desk\n  renamed_from: info",
        ),
        (
            "{kind: EmailConnector, name: info, imap: {password: env:X}}",
            "{kind: EmailConnector, name: desk, renamed_from: info, imap: {password: env:X}}",
        ),
        (
            "kind: GlobalSmtpPolicy\nconnector: info\nfallback_connector: !!str info\n",
            "kind: GlobalSmtpPolicy\nconnector: desk\nfallback_connector: !!str desk\n",
        ),
        ('kind: Permissions\nconnector: "inf\\u006f"\n', 'kind: Permissions\nconnector: "desk"\n'),
        (
            "%YAML 1.2\n---\n# \U0001f4e7\nkind: Permissions\nconnector: info\n...\n",
            "%YAML 1.2\n---\n# \U0001f4e7\nkind: Permissions\nconnector: desk\n...\n",
        ),
        ("# nothing\n---\nkind: Permissions\nconnector: info\n---\n",
         "# nothing\n---\nkind: Permissions\nconnector: desk\n---\n"),
    ],
)  # fmt: skip
def test_a_connector_is_renamed_where_it_is_named(text: str, expected: str) -> None:
    assert renamed(text).text == expected


def test_a_group_is_renamed_in_roles_permissions_and_groups_and_no_user_of_its_name_is() -> None:
    text = (
        "kind: Roles\nadministrators: {users: [hr], groups: [hr]}\nmanage_data_sources: {groups: [x, hr]}\n"
        "---\nkind: Group\nname: hr\nmembers:\n  users: [hr]\n  groups:\n    - hr  # itself\n"
        "---\nkind: Permissions\nconnector: hr\nadministrators: {groups: [hr]}\nusers: {groups: [hr, hr]}\n"
    )
    done = renamed(text, HR, "people")
    assert done.places == 7
    assert done.text == text.replace("groups: [hr", "groups: [people").replace(
        "[x, hr]", "[x, people]").replace("[people, hr]", "[people, people]").replace(
        "- hr", "- people").replace("name: hr", "name: people")  # fmt: skip


def test_a_provider_and_an_application_are_renamed_and_get_no_former_name() -> None:
    own = Address(Kind.PROVIDER, "own")
    text = "kind: Provider\nname: own\n---\nkind: EmailConnector\nname: own\nprovider: own\n"
    assert renamed(text, own, "1e5").text == text.replace("r: own", 'r: "1e5"').replace(
        "Provider\nname: own", 'Provider\nname: "1e5"'
    )
    text = "kind: Application\nname: shop\nuser: shop\n"
    done = renamed(text, Address(Kind.APPLICATION, "shop"), "null")
    assert done.text == 'kind: Application\nname: "null"\nuser: shop\n'


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("kind: Permissions\nconnector: &x info\n", "a.yaml:2:12", "anchor"),
        ("kind: Group\nname: x\nmembers: &m {groups: [hr]}\n", "a.yaml:3:23", "anchor"),
        (
            "kind: Roles\nadministrators: {groups: &g [hr]}\nmanage_data_sources: {groups: *g}\n",
            "a.yaml:2:30",
            "alias",
        ),
        (
            "kind: Permissions\nconnector: x\nusers: &u {users: [a]}\nadministrators: {<<: {groups: [hr]}}\n",
            "a.yaml:4:32",
            "merge key",
        ),
        ("kind: Permissions\nconnector: >-\n  info\n", "a.yaml:2:12", "one line"),
        ("kind: Permissions\nconnector: ${var.main}\n", "a.yaml:2:12", "variable"),
        ("kind: Permissions\nconnector: in${var.rest}\n", "a.yaml:2:12", "variable"),
        (
            "kind: EmailConnector\nname: info\nrenamed_from: old\n",
            "a.yaml:3:15",
            "an earlier rename",
        ),
    ],
)
def test_where_a_name_cannot_be_changed_nothing_is(text: str, place: str, reason: str) -> None:
    variables = Variables(frozenset({"main", "rest"}), {"main": "info", "rest": "fo"})
    address = INFO if "hr" not in text else HR
    done = renamed(f"{text}---\nkind: Permissions\nconnector: info\n", address, variables=variables)
    assert done.text.startswith(text)
    assert done.places == 0
    assert reason in done.obstacles[0].reason
    assert place in {item.place for item in done.obstacles}


def test_variables_and_anchors_elsewhere_do_not_prevent_a_rename() -> None:
    text = (
        "kind: EmailConnector\nname: info\ndisplay_name: &d Desk ${var.main}\nsmtp: {from_name: *d}\n"
        "---\nkind: Permissions\nconnector: ${var.main}\n"
    )
    variables = Variables(frozenset({"main"}), {"main": "other"})
    assert renamed(text, variables=variables).text == text.replace(
        "name: info\n", "name: desk\nrenamed_from: info\n"
    )


def test_a_text_beyond_the_reach_of_the_slow_parser_is_renamed_too() -> None:
    many = "".join(f"kind: Permissions\nconnector: box-{n}\n---\n" for n in range(3000))
    text = many + "kind: Permissions\nconnector: info\n"
    done = renamed(text)
    assert done.text == many + "kind: Permissions\nconnector: desk\n"
    assert compose(done.text, "a.yaml").readable


@pytest.mark.parametrize("kind", Kind)
def test_every_field_of_the_model_that_is_a_name_is_known(kind: Kind) -> None:
    patterns = {NAME_PATTERN, PROVIDER_NAME_PATTERN}
    found = set(_names(TYPES[kind], patterns)) - {("renamed_from",)}
    inline = {
        route for route in NAMES[kind] if route[0] == "permissions"
    }  # of a document as it is written
    assert found == set(NAMES[kind]) - inline


def _names(of: Any, patterns: set[str], route: tuple[str, ...] = ()) -> Any:
    """The routes of all fields below a type whose text must match one of the patterns."""
    origin, arguments = typing.get_origin(of), typing.get_args(of)
    if origin is typing.Annotated:
        if any(isinstance(item, Matches) and item.pattern in patterns for item in arguments):
            yield route
            return
        yield from _names(arguments[0], patterns, route)
    elif origin is tuple:
        yield from _names(arguments[0], patterns, (*route, ANY_ITEM))
    elif origin in {typing.Union, types.UnionType}:
        for item in arguments:
            yield from _names(item, patterns, route)
    elif dataclasses.is_dataclass(of) and isinstance(of, type):
        hints = typing.get_type_hints(of, include_extras=True)
        for item in dataclasses.fields(of):
            yield from _names(hints[item.name], patterns, (*route, item.name))


TABLE: Final = "kind: EmailConnectors\ntemplate: shop\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            TABLE + "connectors:\n  # north\n  info: {city: info}   # first\n  other: {}\n",
            TABLE
            + "renamed_from: {desk: info}\nconnectors:\n  # north\n  desk: {city: info}   # first\n  other: {}\n",
        ),
        (
            TABLE + "renamed_from: {other: old}\nconnectors: {info: {}, other: {}}\n",
            TABLE + "renamed_from: {desk: info, other: old}\nconnectors: {desk: {}, other: {}}\n",
        ),
        (
            TABLE + "connectors:\n  'info':\n    city: A\nrenamed_from:\n    other: old\n",
            TABLE
            + "connectors:\n  'desk':\n    city: A\nrenamed_from:\n    desk: info\n    other: old\n",
        ),
        (
            "{kind: EmailConnectors, template: shop, connectors: {info: {}}}\n",
            "{kind: EmailConnectors, template: shop, renamed_from: {desk: info}, connectors: {desk: {}}}\n",
        ),
        (
            TABLE.replace("\n", "\r\n") + "connectors:\r\n  info: {}\r\n",
            TABLE.replace("\n", "\r\n")
            + "renamed_from: {desk: info}\r\nconnectors:\r\n  desk: {}\r\n",
        ),
    ],
)
def test_a_row_of_a_table_is_renamed_and_keeps_its_former_name(text: str, expected: str) -> None:
    done = renamed(text)
    assert (done.text, done.obstacles, done.declares) == (expected, (), True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TABLE + "renamed_from: {info: older}\nconnectors: {info: {}}\n", "earlier rename"),
        (TABLE + "connectors: {&name info: {}}\n", "anchor"),
        (TABLE + "labels: [&it info]\nconnectors: {*it : {}}\n", "anchor"),
        (TABLE + "connectors: &rows {info: {}}\n", "anchor"),
        (TABLE + "renamed_from: {}\nconnectors: {info: {}}\n", "is empty"),
    ],
)
def test_a_row_that_cannot_be_renamed_is_named(text: str, reason: str) -> None:
    done = renamed(text)
    assert done.text == text
    assert [reason in item.reason for item in done.obstacles] == [True]
