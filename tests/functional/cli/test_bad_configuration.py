"""Mistakes in the shipped example: each is reported with its place and its rule, and nothing is applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import PASSWORD_AT_MICROSOFT

if TYPE_CHECKING:
    from tests.functional.conftest import Done, Home

INVALID = 3


def refused(home: Home, rule: str, place: str) -> Done:
    """Check that every command which reads the configuration refuses it, and that one says why."""
    done = home("validate")
    assert done.status == INVALID
    assert f"[{rule}]" in done.out
    assert f"connectors.d/{place}: error:" in done.out
    for command in (("plan",), ("apply", "--auto-approve"), ("test",)):
        again = home(*command)
        assert again.status == INVALID
        assert again.out == ""
        assert f"[{rule}]" in again.err
    assert "Nothing was applied yet" in home("status").out
    return done


def test_a_password_in_plain_text_is_not_repeated(home: Home) -> None:
    home.edit("support.yaml", "env:SUPPORT_CLIENT_SECRET", "hunter2-Sommer")
    refused(home, "secret/plain-text", "support.yaml:31:20")
    for form in ("human", "json", "github"):
        assert "hunter2" not in home("validate", "--format", form).said
    for command in ("plan", "apply", "test"):
        assert "hunter2" not in home(command).said


def test_ssl_on_an_unusual_port_is_explained(home: Home) -> None:
    home.edit("support.yaml", "port: 587", "port: 2465")
    assert "security: starttls`" in refused(home, "tls/mode", "support.yaml:37:12").out


@pytest.mark.parametrize(
    ("connector", "rule"),
    [
        ("no-such", "name/unknown-connector"),
        ("newsletter", "policy/cannot-send"),  # a draft
        ("invoices", "policy/cannot-send"),  # is only read
    ],
)
def test_the_policy_names_a_connector_that_can_send(connector: str, rule: str, home: Home) -> None:
    home.edit("policy.yaml", "\nconnector: no-reply", f"\nconnector: {connector}")
    home.edit("policy.yaml", "enabled: false", "enabled: true")
    refused(home, rule, "policy.yaml:11:12")


def test_a_similar_name_is_suggested(home: Home) -> None:
    home.edit("policy.yaml", "\nconnector: no-reply", "\nconnector: no-repyl")
    assert (
        "Did you mean `no-reply`?"
        in refused(home, "name/unknown-connector", "policy.yaml:11:12").out
    )


def test_the_connector_of_the_policy_cannot_be_deleted(home: Home) -> None:
    home.apply_untested()
    home.remove("no-reply.yaml")
    done = home("apply", "--auto-approve")
    assert done.status == INVALID
    assert done.err.count("[name/unknown-connector]") == 2
    assert "no-reply" in home("status").out


def test_all_problems_are_reported_at_once(home: Home) -> None:
    home.edit("support.yaml", "port: 993", "port: 70000")
    home.edit("info.yaml", "groups: [marketing]", "groups: [marketeers]")
    home.edit("policy.yaml", "enabled: false", "enabled: false\nenabled: false")
    done = home("validate")
    assert done.status == INVALID
    for rule in ("schema/range", "name/unknown-group", "yaml/duplicate-key"):
        assert f"[{rule}]" in done.out


def test_warnings_fail_only_where_they_are_asked_to(home: Home) -> None:
    assert home("validate", "--warnings-as-errors").status == 0
    home.write("archive.yaml", PASSWORD_AT_MICROSOFT)
    assert home("validate").status == 0
    assert home("validate", "--warnings-as-errors").status == INVALID


def test_the_forms_of_a_problem(home: Home) -> None:
    home.edit("policy.yaml", "\nconnector: no-reply", "\nconnector: gone")
    document = json.loads(home("validate", "--format", "json").out)
    assert document["valid"] is False
    (error,) = (item for item in document["diagnostics"] if item["severity"] == "error")
    assert (error["rule"], error["file"], error["line"], error["column"]) == (
        "name/unknown-connector",
        "connectors.d/policy.yaml",
        11,
        12,
    )
    annotated = home("validate", "--format", "github").out
    assert (
        "::error file=connectors.d/policy.yaml,line=11,col=12,title=name/unknown-connector::"
        in annotated
    )


def test_mistakes_in_the_settings_are_problems_too(home: Home) -> None:
    home.write("../reconciler.yaml", "limits: {max_delete_percent: 300}\nstaet: x\n")
    done = home("validate")
    assert done.status == INVALID
    assert "reconciler.yaml:1:30: error:" in done.out
    assert "`state`" in done.out
    assert home("apply", "--auto-approve").status == INVALID


def test_no_folder_is_an_error_and_an_empty_one_is_not(home: Home) -> None:
    done = home("validate", "--config", "elsewhere")
    assert done.status == INVALID
    assert "[file/missing]" in done.out
    (home.folder / "nothing").mkdir()
    done = home("validate", "--config", "nothing")
    assert done.status == 0
    assert "0 documents in 0 files, 0 connectors" in done.out
