"""What a plan says about rights and secrets never grows beyond what can be read."""

from __future__ import annotations

from reconciler.plan.document import AccessDocument, CredentialUseDocument
from reconciler.render.human.impact import access_changes, credential_uses
from reconciler.render.terminal import Style
from reconciler.wording import BLOCKS

PLAIN = Style(colour=False, width=100)


def access(number: int) -> tuple[AccessDocument, ...]:
    return tuple(
        AccessDocument(
            right="use",
            subject=f"shop-{index}",
            before="nobody",
            after="one user",
            gained=("ada@shop.example",),
            lost=(),
            widened=True,
            narrowed=False,
        )
        for index in range(number)
    )


def uses(number: int) -> tuple[CredentialUseDocument, ...]:
    return tuple(
        CredentialUseDocument(
            connector=f"shop-{index}",
            protocol="smtp",
            reference=f"env:SHOP_{index}",
            before=(),
            after="smtp.shop.example:587",
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
