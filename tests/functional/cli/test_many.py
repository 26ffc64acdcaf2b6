"""Hundreds of connectors at once: the questions, what is shown, and how much is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.functional.terminal import QUESTION, terminal

if TYPE_CHECKING:
    from tests.functional.conftest import Home

REFUSED = 5
SKIP = ("--skip-tests", "no servers here")

TEMPLATE = """\
kind: Template
name: shop
enable_mail_send_from: true
imap: {server: imap.shop.example, port: 993, use_ssl: true, username: "${name}@shop.example",
       password: "env:SHOP_${name}_PASSWORD"}
smtp: {server: smtp.shop.example, port: 587, use_ssl: true}
---
kind: EmailConnectors
template: shop
connectors:
"""

THIEF = """\
kind: EmailConnector
name: zulu
imap: {server: imap.elsewhere.example, port: 993, use_ssl: true, username: zulu@shop.example, password: env:ZULU}
"""


@pytest.fixture
def strict(home: Home) -> Home:
    """The shipped example, applied, in a run that allows no credential beforehand."""
    home.apply_untested()
    del home.environ["RECONCILER_ALLOW_CREDENTIAL"]
    return home


def add_shops(home: Home, count: int, password: str = "") -> None:
    """Add a table of shops; with ``password``, a pattern of their own for it."""
    template = TEMPLATE.replace("env:SHOP_${name}_PASSWORD", password or "env:SHOP_PASSWORD")
    lines = "".join(f"  shop-{number:03}: {{}}\n" for number in range(count))
    (home.config / "shops.yaml").write_text(template + lines)


def add_strangers(home: Home, count: int) -> None:
    """Add connectors whose users and secrets do not follow from their names."""
    (home.config / "strangers.yaml").write_text(
        "---\n".join(
            f"kind: EmailConnector\nname: box-{number:03}\nimap: {{server: imap.shop.example, port: 993,"
            f" use_ssl: true, username: u{number}x@shop.example, password: 'env:MAIL_X{number}'}}\n"
            for number in range(count)
        )
    )


def test_many_secrets_that_follow_from_the_name_are_one_question(strict: Home) -> None:
    add_shops(strict, 300)
    with terminal(strict, "apply", *SKIP) as shell:
        shell.read_until(QUESTION)
        assert "env:SHOP_PASSWORD, by 300 connectors (imap): shop-000" in shell.shown
        assert "imap.shop.example:993 (implicit) as ${name}@shop.example" in shell.shown
        assert shell.shown.count("\n") < 200
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown
    assert strict("status").out.count("shop-") >= 300


def test_approval_does_not_cover_secrets_that_were_not_shown(strict: Home) -> None:
    add_strangers(strict, 201)
    with terminal(strict, "apply", *SKIP) as shell:
        assert shell.wait() == REFUSED, shell.shown
    assert "Do you want to apply" not in shell.shown
    assert "and 1 more. `--format json` lists all of them." in shell.shown
    option = "--allow-credential 'env:MAIL_X*=imap.shop.example'"
    assert f"to allow them: apply a sealed plan, or pass {option}" in shell.shown
    assert f"To allow it: {option}" in shell.shown
    with terminal(
        strict, "apply", *SKIP, "--allow-credential", "env:MAIL_X*=imap.shop.example"
    ) as shell:
        shell.read_until(QUESTION)
        shell.type("no\n")
        assert shell.wait() == REFUSED
    assert strict("plan", "--out", "plan.json").status == 0
    assert strict("apply", "plan.json", *SKIP).status == 0


def test_one_that_waits_for_approval_is_shown_before_hundreds_that_are_allowed(
    strict: Home,
) -> None:
    add_strangers(strict, 201)
    (strict.config / "late.yaml").write_text(THIEF)
    allowed = ("--allow-credential", "env:MAIL_X*=imap.shop.example")
    with terminal(strict, "apply", *SKIP, *allowed) as shell:
        shell.read_until(QUESTION)
        shown = shell.shown.partition("Secrets that would go somewhere new:")[2]
        assert "imap.elsewhere.example:993" in "".join(shown.splitlines()[:6])
        shell.type("no\n")
        shell.wait()


def test_a_test_does_not_ask_about_so_many_secrets_either(strict: Home) -> None:
    add_strangers(strict, 201)
    with terminal(strict, "test") as shell:
        assert shell.wait() == REFUSED, shell.shown
    assert "Only 'yes' will be accepted" not in shell.shown
    assert "env:MAIL_X*=imap.shop.example" in shell.shown
    assert shell.shown.count("\n") < 40


def test_a_refusal_names_a_few_of_many(strict: Home) -> None:
    add_strangers(strict, 300)
    refused = strict("apply", "--auto-approve", *SKIP)
    assert refused.status == REFUSED
    assert len(refused.err.splitlines()) < 40
    assert "and 280 more" in refused.err
    checks = json.loads(strict("plan", "--format", "json").out)["checks"]
    assert len([item for item in checks if item["status"] == "fail"]) == 300
    denied = strict("apply", "--auto-approve", "--allow-credential", "*", RECONCILER_ACTOR="nobody")
    assert denied.status == 8
    assert "and 280 more" in denied.err


def test_a_saved_plan_shows_groups_and_what_is_in_them(strict: Home) -> None:
    add_shops(strict, 300)
    strict("plan", "--out", "plan.json")
    shown = strict("show", "plan.json").out
    assert "# 300 EmailConnectors alike: create" in shown
    assert '= "${name}@shop.example"' in shown
    assert len(shown.splitlines()) < 150
    (group, *_) = json.loads((strict.folder / "plan.json").read_text())["plan"]["groups"]
    assert (group["actions"], len(group["addresses"])) == (["create"], 300)


def test_a_revision_of_many_is_as_short_as_its_plan(strict: Home) -> None:
    add_shops(strict, 300)
    strict("apply", "--auto-approve", *SKIP, "--allow-credential", "env:SHOP_*")
    for command in (("history", "show", "2"), ("diff", "1", "2")):
        shown = strict(*command).out
        assert "# 300 EmailConnectors were created alike" in shown, command
        assert len(shown.splitlines()) < 60


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("env:INFO_AP_PASSWORD", "env:INFO_APP_PASSWORD=imap.gmail.com"),
        ("env:INFO_APP_PASSWORD=imap.gmial.com", "env:INFO_APP_PASSWORD=imap.gmail.com"),
        ("provider:gmial", "provider:gmail"),
        ("zzz", "There are "),
    ],
)
@pytest.mark.parametrize(
    "command", [("plan",), ("apply", "--auto-approve", *SKIP), ("test",), ("doctor", "info")]
)
def test_a_pattern_that_matches_nothing_is_a_mistake(
    pattern: str, said: str, command: tuple[str, ...], strict: Home
) -> None:
    done = strict(*command, "--allow-credential", pattern)
    assert done.status == 64
    assert f"--allow-credential {pattern} matches no secret of the configuration" in done.err
    assert said in done.err


def test_a_pattern_that_is_no_longer_needed_is_not(strict: Home) -> None:
    add_shops(strict, 3)
    command = ("apply", "--auto-approve", *SKIP, "--allow-credential", "env:SHOP_*=*.shop.example")
    assert strict(*command).status == 0
    again = strict(*command)
    assert (again.status, "No changes." in again.out) == (0, True)
    assert strict("plan", RECONCILER_ALLOW_CREDENTIAL="env:OF_ANOTHER_PROJECT").status == 0


def test_a_provider_that_is_built_in_names_its_own_hosts_whatever_the_project_says(
    strict: Home,
) -> None:
    (strict.config / "gmail.yaml").write_text(
        "kind: Provider\nname: gmail\n"
        "imap: {server: imap.evil.example, port: 993, security: implicit}\n"
        "smtp: {server: smtp.evil.example, port: 465, security: implicit}\n"
    )
    done = strict("apply", "--auto-approve", *SKIP, "--allow-credential", "provider:*")
    assert done.status == REFUSED
    assert "env:INFO_APP_PASSWORD to imap.evil.example" in done.err
