"""What a plan says about rights and secrets never grows beyond what can be read."""

from __future__ import annotations

from reconciler.plan.document import AccessDocument, CredentialUseDocument
from reconciler.render.human.impact import access_changes, credential_uses
from reconciler.render.terminal import Style
from reconciler.values import replace
from reconciler.wording import BLOCKS

PLAIN = Style(colour=False, width=100)


def access(number: int, *, differ: bool = True) -> tuple[AccessDocument, ...]:
    return tuple(
        AccessDocument(
            right="use",
            subject=f"shop-{index}",
            before="nobody",
            after="one user",
            gained=(f"user-{index}@shop.example" if differ else "ada@shop.example",),
            lost=(),
            widened=True,
            narrowed=False,
        )
        for index in range(number)
    )


def uses(number: int, *, differ: bool = True) -> tuple[CredentialUseDocument, ...]:
    return tuple(
        CredentialUseDocument(
            connector=f"shop-{index}",
            protocol="smtp",
            reference=f"env:MAIL_{index}" if differ else f"env:SHOP_{index}_PASSWORD",
            before=(),
            after=f"smtp.shop.example:587 as shop-{index}@shop.example",
        )
        for index in range(number)
    )


def test_two_hundred_rights_are_shown_and_the_rest_is_counted() -> None:
    assert "more" not in access_changes(access(BLOCKS), PLAIN)
    lines = access_changes(access(BLOCKS + 3), PLAIN).splitlines()
    assert len(lines) == BLOCKS + 2
    assert lines[-1] == "  and 3 more. `--format json` lists all of them."


def test_two_hundred_secrets_are_shown_and_the_rest_is_counted() -> None:
    assert "more" not in credential_uses(uses(BLOCKS), PLAIN)
    text = credential_uses(uses(BLOCKS + 3), PLAIN)
    assert text.count("would go to") == BLOCKS
    assert text.splitlines()[-1] == "  ! and 3 more. `--format json` lists all of them."


def test_rights_that_change_alike_are_one_line() -> None:
    (_, line) = access_changes(access(300, differ=False), PLAIN).splitlines()
    assert line.startswith("  + may send through 300 connectors (shop-0, shop-1, ")
    assert line.endswith(" and 290 more): ada@shop.example")


def test_secrets_that_follow_from_the_name_are_one_entry() -> None:
    text = credential_uses(uses(300, differ=False), PLAIN)
    assert "env:${NAME}_PASSWORD, by 300 connectors (smtp): shop-0, shop-1, " in text
    assert "would go to   smtp.shop.example:587 as ${name}@shop.example" in text
    assert len(text.splitlines()) == 3


def test_a_secret_that_is_known_elsewhere_comes_first_and_on_its_own() -> None:
    known = replace(uses(1)[0], before=("imap.other.example:993 (implicit) as ceo@other.example",))
    lines = credential_uses((*uses(300, differ=False), known), PLAIN).splitlines()
    assert lines[1] == "  ! env:MAIL_0, by shop-0 (smtp)"
    assert lines[2].endswith("imap.other.example:993 (implicit) as ceo@other.example")


def test_a_destination_of_its_own_does_not_hide_among_many() -> None:
    odd = replace(uses(8, differ=False)[7], after="smtp.evil.example:587 as shop-7@shop.example")
    text = credential_uses((*uses(7, differ=False), odd), PLAIN)
    assert (
        "env:SHOP_7_PASSWORD, by shop-7 (smtp)\n      would go to   smtp.evil.example:587" in text
    )
