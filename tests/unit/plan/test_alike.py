"""Changes that are alike are one to read, and a plan stays as long as can be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reconciler.model.directory import Group
from reconciler.model.permissions import Principals
from reconciler.plan.alike import alike
from reconciler.plan.document import to_document
from reconciler.render.human.plan import change_blocks, plan_text
from reconciler.render.plan import PlanOutcome
from reconciler.render.pull_request import plan_comment
from reconciler.render.terminal import PLAIN
from reconciler.wording import BLOCKS
from tests.builders import connector, moved, planned, stored

SHOP: Final = tuple(connector(f"shop-{n:03}", provider="shop") for n in range(300))


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


def test_what_differs_is_read_one_by_one() -> None:
    after = [moved(item, port=4650 + number) for number, item in enumerate(SHOP[:5])]
    assert alike(planned(stored(*SHOP[:5]), *after).changes) == ()
    two = planned(stored(*SHOP[:2]), *(moved(item, port=4650) for item in SHOP[:2]))
    assert alike(two.changes) == ()


def test_nothing_grows_without_bound() -> None:
    members = tuple(f"user-{n}@contoso.example" for n in range(5000))
    groups = [Group(name=f"g{n}", members=Principals(users=members)) for n in range(BLOCKS + 5)]
    made = planned(stored(), *groups)
    blocks = change_blocks(made.changes, PLAIN)
    assert len(blocks) == BLOCKS + 1
    assert blocks[-1].startswith("  … and 5 more changes: 5 of Group.")
    assert f"and {5000 - BLOCKS} more" in blocks[0]
    assert max(map(len, blocks)) < 20_000


def test_a_long_list_that_changes_shows_the_difference_alone() -> None:
    members = tuple(f"user-{n}@contoso.example" for n in range(5000))
    before = Group(name="g", members=Principals(users=members))
    after = replace(before, members=Principals(users=(*members[1:], "new@contoso.example")))
    (block,) = change_blocks(planned(stored(before), after).changes, PLAIN)
    assert "user-0@contoso.example" in block
    assert "new@contoso.example" in block
    assert len(block.splitlines()) == 5
