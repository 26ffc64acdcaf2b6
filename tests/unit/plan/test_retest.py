"""Which changes need a new live test, consistently everywhere."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

import pytest

from reconciler.model.connector import TESTED_FIELDS, Connector, SaveSent
from reconciler.model.depth import Depth
from reconciler.plan.changes import Rename, Update
from reconciler.state.effects import effects
from reconciler.values import replace
from tests.builders import connector, mail_server, planned, stored

INFO: Final = connector("info")
OTHER: Final[dict[str, Any]] = {
    "display_name": "Help desk",
    "provider": "gmail",
    "imap": mail_server("info", server="new.contoso.example"),
    "enable_mail_send_from": False,
    "smtp": mail_server("info", "smtp", server="new.contoso.example"),
    "email_address": "help@contoso.example",
    "also_sends_as": ("*@shop.example",),
    "from_name": "Contoso Help",
    "reply_to": "office@contoso.example",
    "test_recipient": "postmaster@contoso.example",
    "depth": Depth.AUTHENTICATION,
    "ca_file": "ca.pem",
    "ehlo_name": "relay.contoso.example",
    "timeout_seconds": 60,
    "max_connections": 2,
    "mails_per_minute": 20,
    "use_same_credentials": False,
    "sent_folder": "Outbox",
    "save_sent": SaveSent.ALWAYS,
    "files_sent_copies": True,
    "labels": ("hr",),
    "draft": True,
    "prevent_destroy": True,
}
"""Another value for every field of a connector but its name."""


def test_another_value_is_known_for_every_field() -> None:
    assert {"name", *OTHER} == {item.name for item in fields(Connector)}
    for name, value in OTHER.items():
        assert getattr(INFO, name) != value, name


def test_a_new_field_counts_as_tested() -> None:
    untested = {item.name for item in fields(Connector)} - set(TESTED_FIELDS)
    assert untested == {
        "name", "display_name", "provider", "use_same_credentials", "labels", "prevent_destroy",
        "from_name", "reply_to", "max_connections", "mails_per_minute",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(OTHER))
def test_the_plan_tests_again_exactly_what_the_state_calls_untested(name: str) -> None:
    after = replace(INFO, **{name: OTHER[name]})
    made = planned(stored(INFO), after)
    (change,) = made.changes
    assert isinstance(change, Update | Rename)
    configured = name in TESTED_FIELDS
    if name != "draft":  # a draft is never tested
        assert [item.connector for item in made.to_test] == (["info"] if configured else [])
    assert (INFO.tested != after.tested) == configured
    assert bool(effects(made.changes, {INFO.address: "uid"}, 2).unsettled) == configured


def test_saving_copies_is_not_applied_untested() -> None:
    never = replace(INFO, save_sent=SaveSent.NEVER)
    made = planned(stored(never), replace(INFO, save_sent=SaveSent.ALWAYS))
    assert [(item.connector, item.reason) for item in made.to_test] == [
        ("info", "save_sent changes")
    ]
