"""Changes that are alike are one to read, and a plan stays as long as can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.model.directory import Group
from reconciler.model.permissions import Principals
from reconciler.model.secret_ref import SecretRef
from reconciler.plan.alike import AlikeChanges, alike, grouped, pattern_of
from reconciler.plan.changes import RotateSecret
from reconciler.plan.document import to_document
from reconciler.render.human.changes import MOST_TEXT, change_blocks
from reconciler.render.human.plan import plan_text
from reconciler.render.plan import PlanOutcome
from reconciler.render.pull_request import plan_comment
from reconciler.render.terminal import PLAIN
from reconciler.values import replace
from reconciler.wording import BLOCKS, LINES
from tests.builders import (
    connector,
    mail_server,
    moved,
    permissions,
    planned,
    receiving,
    stored,
    users,
)

if TYPE_CHECKING:
    from reconciler.model.resource import JSON

SHOP: Final = tuple(
    moved(
        connector(f"shop-{n:03}", provider="shop"),
        password=SecretRef("env", f"SHOP_{n:03}_PASSWORD"),
    )
    for n in range(300)
)


def test_updates_of_the_same_fields_are_one_group_with_names_folded() -> None:
    other = connector("other")
    after = [moved(item, port=4650) for item in SHOP]
    made = planned(stored(*SHOP, other), *after, replace(other, display_name="New"))
    (group,) = alike(made.changes)
    assert (len(group.addresses), group.provider) == (300, "shop")
    for text in (plan_text(made, PLAIN), plan_comment(PlanOutcome(plan=made, actor="ada"))):
        assert "300 EmailConnectors of provider shop will be updated alike" in text
        assert "smtp.port = 465 -> 4650" in text
        assert text.count("-> 4650") == 2, "of IMAP and of SMTP"
        assert "shop-009 and 290 more" in text
        assert "EmailConnector.other will be updated" in text


def test_machines_get_the_groups_beside_the_full_list() -> None:
    made = planned(stored(*SHOP[:3]), *(moved(item, port=4650) for item in SHOP[:3]))
    document = to_document(made)
    assert len(document.resource_changes) == 3
    (group,) = document.groups
    assert group.addresses == tuple(item.address for item in document.resource_changes)
    assert [item.path for item in group.fields] == ["imap.port", "smtp.port"]
    assert (group.actions, {item.form for item in group.fields}) == (("update",), {"same"})
    document = to_document(planned(stored(), *SHOP[:3]))
    (group,) = document.groups
    (name, *_) = group.fields
    assert (name.form, name.after, len(document.resource_changes)) == ("by_name", "${name}", 3)


def test_new_connectors_of_one_template_are_one_group() -> None:
    rights = [permissions(item.name, users=users("bo@contoso.example")) for item in SHOP]
    made = planned(stored(), *SHOP, *rights)
    first, second = alike(made.changes)
    forms = {row.path: (row.form, row.after) for row in first.fields}
    assert forms["imap.server"] == ("same", "imap.contoso.example")
    assert forms["imap.username"] == ("by_name", "${name}@contoso.example")
    assert (len(second.addresses), second.kind) == (300, "Permissions")
    for text in (plan_text(made, PLAIN), plan_comment(PlanOutcome(plan=made, actor="ada"))):
        assert "# 300 EmailConnectors of provider shop will be created alike" in text
        assert "# 300 Permissions will be created alike" in text
        assert text.count("imap.contoso.example") < 10
        assert len(text.splitlines()) < 150


def test_users_of_their_own_names_are_alike_and_the_first_are_shown() -> None:
    new = [moved(item, username=f"u{n}@contoso.example") for n, item in enumerate(SHOP)]
    (group,) = alike(planned(stored(), *new).changes)
    (row,) = [row for row in group.fields if row.path == "imap.username"]
    assert (row.form, len(row.values)) == ("differs", 300)
    (block,) = change_blocks(planned(stored(), *new).changes, PLAIN)
    assert '"u0@contoso.example", "u1@contoso.example"' in block
    assert '"u4@contoso.example" and 295 more' in block


@pytest.mark.parametrize(
    "fields",
    [
        {"imap": mail_server("shop-007", server="imap.evil.example")},
        {"imap": mail_server("shop-007", port=4993)},
        {"imap": mail_server("shop-007", username="shop-007@evil.example")},
        {"imap": mail_server("shop-007", username="ceo@contoso.example")},
        {"imap": mail_server("shop-007", password=SecretRef("file", "/run/SHOP-007_PASSWORD"))},
        {"also_sends_as": ("ceo@contoso.example",)},
        {"provider": "other"},
        {"labels": ("other",)},
        {"prevent_destroy": True},
    ],
)
def test_one_that_differs_does_not_hide_among_many(fields: dict[str, Any]) -> None:
    odd = replace(SHOP[7], **fields)
    made = planned(stored(), *(odd if item is SHOP[7] else item for item in SHOP))
    (group,) = alike(made.changes)
    assert len(group.changes) == 299
    assert odd.address not in group.addresses
    assert "# EmailConnector.shop-007 will be created" in plan_text(made, PLAIN)


def test_deletes_renames_and_rotations_are_grouped_too() -> None:
    few = [receiving(f"shop-{n}", provider="shop") for n in range(4)]
    few = [
        replace(item, imap=replace(item.imap, password=SecretRef("env", f"SHOP_{n}_PASSWORD")))
        for n, item in enumerate(few)
        if item.imap is not None
    ]
    gone = plan_text(planned(stored(*few)), PLAIN)
    assert "# 4 EmailConnectors of provider shop will be destroyed alike" in gone
    assert '= "${name}@contoso.example" -> null' in gone
    new = [replace(item, name=item.name.replace("shop", "store")) for item in few]
    pairs = tuple((after.name, before.name) for after, before in zip(new, few, strict=True))
    renamed = plan_text(planned(stored(*few), *new, renames=pairs), PLAIN)
    assert "# 4 EmailConnectors of provider shop will be renamed alike" in renamed
    assert '"shop-0" -> "store-0", "shop-1" -> "store-1"' in renamed
    rotated = [RotateSecret(item, item.references) for item in few]
    (block,) = change_blocks(rotated, PLAIN)
    assert "# 4 EmailConnectors of provider shop have a rotated secret, alike" in block
    assert "~ env:${NAME}_PASSWORD (rotated)" in block


def test_a_domain_that_changes_for_all_is_one_change() -> None:
    after = [moved(item, username=f"{item.name}@new.example") for item in SHOP]
    (block,) = change_blocks(planned(stored(*SHOP), *after).changes, PLAIN)
    assert 'imap.username = "${name}@contoso.example" -> "${name}@new.example"' in block


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("shop-1@contoso.example", "${name}@contoso.example"),
        ("shop-1.shop-1", "${name}.${name}"),
        ("shop-10@contoso.example", "shop-10@contoso.example"),
        ("myshop-1", "myshop-1"),
        ("shop-1x/shop-1", "shop-1x/${name}"),
        ("shop-1\N{LATIN SMALL LETTER E WITH ACUTE}", "shop-1\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("env:SHOP_1_PASSWORD", "env:${NAME}_PASSWORD"),
        ("env:SHOP_12_PASSWORD", "env:SHOP_12_PASSWORD"),
        (["shop-1", 1, None], ["${name}", 1, None]),
        ("", ""),
    ],
)
def test_a_pattern_takes_the_name_where_it_stands_alone(value: JSON, pattern: JSON) -> None:
    assert pattern_of(value, "shop-1") == pattern


def test_every_change_stays_in_the_list_once_and_in_order() -> None:
    mixed = [*SHOP[:2], receiving("a"), *(connector(f"z-{n}", labels=("z",)) for n in range(5))]
    changes = planned(stored(), *mixed).changes
    parts = grouped(changes)
    flat = [
        change
        for part in parts
        for change in (part.changes if isinstance(part, AlikeChanges) else (part,))
    ]
    assert flat == list(changes)
    assert [len(part.changes) for part in parts if isinstance(part, AlikeChanges)] == [5]


def test_what_differs_is_read_one_by_one() -> None:
    after = [moved(item, port=4650 + number) for number, item in enumerate(SHOP[:5])]
    assert alike(planned(stored(*SHOP[:5]), *after).changes) == ()
    two = planned(stored(*SHOP[:2]), *(moved(item, port=4650) for item in SHOP[:2]))
    assert alike(two.changes) == ()


def test_the_output_is_bounded() -> None:
    members = tuple(f"user-{n}@contoso.example" for n in range(6000))
    groups = [
        Group(name=f"g{n}", members=Principals(users=members[n : n + 5000]))
        for n in range(BLOCKS + 5)
    ]
    made = planned(stored(), *groups)
    blocks = change_blocks(made.changes, PLAIN)
    assert len(blocks) == BLOCKS + 1
    assert blocks[-1].startswith("  … and 5 more changes: 5 of Group.")
    assert f"and {5000 - LINES} more" in blocks[0]
    assert max(map(len, blocks)) < 20_000


def test_changes_that_are_long_end_the_list_early() -> None:
    long = [
        replace(item, labels=(f"{number}-" + "y" * 60_000,))
        for number, item in enumerate(SHOP[:20])
    ]
    blocks = change_blocks(planned(stored(*SHOP[:20]), *long).changes, PLAIN)
    assert MOST_TEXT < sum(map(len, blocks)) < 2 * MOST_TEXT
    assert blocks[-1].startswith("  … and 16 more changes: 16 of EmailConnector.")


def test_a_long_list_that_changes_shows_only_the_difference() -> None:
    members = tuple(f"user-{n}@contoso.example" for n in range(5000))
    before = Group(name="g", members=Principals(users=members))
    after = replace(before, members=Principals(users=(*members[1:], "new@contoso.example")))
    (block,) = change_blocks(planned(stored(before), after).changes, PLAIN)
    assert "user-0@contoso.example" in block
    assert "new@contoso.example" in block
    assert len(block.splitlines()) == 5
