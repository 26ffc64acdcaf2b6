"""Non-ASCII hosts are shown with their A-label, and invisible characters as escapes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.model.domain import with_a_label
from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from tests.functional.conftest import Home

HOST = "imap.contоso.example"  # noqa: RUF001 - a Cyrillic o
LABEL = "(imap.xn--contso-zqf.example)"
INVISIBLE = "\u00ad\u034f\u115f\u2061\u2800\u3164\ufe00\uffa0\U000e0041\U000e0100"
CONNECTOR = f"""\
kind: EmailConnector
name: thief
display_name: "De{INVISIBLE}sk"
enable_mail_send_from: true
imap:
  server: {HOST}
  port: 993
  use_ssl: true
  username: desk@contoso.example
  password: env:DESK_PASSWORD
smtp:
  server: smtp.bücher.example
  port: 465
  use_ssl: true
  email_address: desk@bücher.example
---
kind: Permissions
connector: thief
users: {{users: [ada@bücher.example]}}
"""


def no_invisible(said: str) -> None:
    assert [f"U+{ord(char):04X}" for char in INVISIBLE if char in said] == []


def every_line_has_labels(said: str) -> None:
    for line in said.splitlines():
        for name, label in ((HOST, LABEL), ("bücher.example", "xn--bcher-kva.example")):
            assert name not in line or label in line, line


@pytest.mark.parametrize("output_format", ["human", "markdown"])
def test_a_plan_shows_the_a_label_of_a_host(output_format: str, bare: Home) -> None:
    bare.write("thief.yaml", CONNECTOR)
    done = bare("plan", "--format", output_format)
    assert done.status == 0, done.said
    assert LABEL in done.out
    to = "| `" if output_format == "markdown" else "would go to   "
    assert f"{to}imap.xn--contso-zqf.example:993" in done.out
    assert "\\u00ad" in done.out
    no_invisible(done.said)
    every_line_has_labels(done.out)


def test_the_other_commands_show_them(bare: Home) -> None:
    bare.write("thief.yaml", CONNECTOR)
    bare.apply_untested()
    mail = ("--from", "desk@bücher.example", "--as", "ada@bücher.example")
    commands: list[tuple[str, ...]] = [
        ("show", "thief"), ("show", "Permissions.thief"), ("status",), ("history", "show", "1"), ("diff", "0", "1"),
        ("doctor", "thief"), ("test",), ("drift",), ("route", *mail),
    ]  # fmt: skip
    for command in commands:
        done = bare(*command, DESK_PASSWORD="k3Qw-92mz", RECONCILER_CONNECT_TO="*")
        no_invisible(done.said)
        every_line_has_labels(done.said)
    assert "as desk@bücher.example (xn--bcher-kva.example)." in bare("route", *mail).out
    refused = bare("apply", "--auto-approve", RECONCILER_ALLOW_CREDENTIAL="", CI="true")
    no_invisible(refused.said)


def test_a_host_that_is_not_allowed_is_named_with_its_label(bare: Home) -> None:
    bare.write("thief.yaml", CONNECTOR)
    bare.write("../reconciler.yaml", "allowed_hosts: [imap.contoso.example, '*.bücher.example']\n")
    done = bare("validate")
    assert done.status == 3
    assert f"The host {HOST} {LABEL} is not in `allowed_hosts`" in done.said


def test_json_keeps_what_was_written(bare: Home) -> None:
    bare.write("thief.yaml", CONNECTOR)
    changes = json.loads(bare("plan", "--format", "json").out)["resource_changes"]
    after = next(item for item in changes if item["kind"] == "EmailConnector")["change"]["after"]
    assert after["display_name"] == f"De{INVISIBLE}sk"
    assert after["imap"]["server"] == HOST


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail.contoso.example", "mail.contoso.example"),
        ("straße.example", "straße.example (xn--strae-oqa.example)"),
        ("a@straße.example", "a@straße.example (xn--strae-oqa.example)"),
        ("ä@contoso.example", "ä@contoso.example"),
        ("https://bücher.example:8443/ä", "https://bücher.example:8443/ä (xn--bcher-kva.example)"),
        ("https://contoso.example/ä", "https://contoso.example/ä"),
        ("a\u2024b.example", "a\u2024b.example (not a valid domain)"),
        ("ﷺ\u0300..example", "ﷺ\u0300..example (not a valid domain)"),
    ],
)
def test_the_label_is_that_of_the_domain(text: str, shown: str) -> None:
    assert with_a_label(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay\u200croll", "pay\\u200croll"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # noqa: RUF001 - Persian
        ("👩\u200d💻", "👩\u200d💻"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("\u200dpay", "\\u200dpay"),
        ("Grüße, 世界", "Grüße, 世界"),
    ],
)
def test_joiners_show_only_where_a_script_has_them(text: str, shown: str) -> None:
    assert visible(text) == shown
