"""What a field, a rule, a provider and an error class mean."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.app.explain import explain
from reconciler.config.load import built_in_providers
from reconciler.config.rules import RULES
from reconciler.connection.failure import ErrorClass
from reconciler.render.explain import (
    ErrorExplanation,
    FieldExplanation,
    ProviderExplanation,
    RuleExplanation,
)
from tests.functional.cli.test_schemas import conforms

if TYPE_CHECKING:
    from tests.functional.conftest import Home

DOCS: Final = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["rules.md", "errors.md"])
def test_the_pages_of_the_package_are_those_of_the_documentation(page: str) -> None:
    ours = (files("reconciler") / "pages" / page).read_bytes()
    assert ours == (DOCS / page).read_bytes(), f"cp docs/{page} reconciler/pages/"


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_explained(rule: str) -> None:
    (found,) = explain(rule).explanations
    assert isinstance(found, RuleExplanation)
    assert len(found.meaning) > 20
    assert len(found.remedy) > 5 or rule == "schema/invalid", "a bug, which is to be reported"
    for mark in ("](", "```", "What to do", "**"):
        assert mark not in found.meaning + found.remedy


def test_the_example_of_a_rule_can_be_copied(home: Home) -> None:
    done = home("explain", "settings/shared-state")
    assert done.status == 0, done.said
    assert done.out.endswith(
        "  example:\n    # In `reconciler.yaml`:\n    state: sqlite:///mail.db\n"
        "    environments:\n      dev: {}\n      prod: {}\n"
    )


@pytest.mark.parametrize("error", ErrorClass)
def test_every_error_class_is_explained(error: ErrorClass) -> None:
    found = [e for e in explain(error).explanations if isinstance(e, ErrorExplanation)]
    assert len(found) == 1
    assert len(found[0].cause) > 5
    assert len(found[0].remedy) > 5
    assert "|" not in found[0].cause + found[0].remedy


def test_every_built_in_provider_is_explained() -> None:
    for provider in built_in_providers():
        found = explain(provider.name).explanations
        (told,) = (item for item in found if isinstance(item, ProviderExplanation))
        assert told.servers
        assert told.notes, "its file says in a comment what to know about it"
        assert "#" not in told.notes
        assert told.source == provider.documentation


def test_a_field_has_its_type_default_and_allowed_values(home: Home) -> None:
    (port,) = explain("EmailConnector.imap.port").explanations
    assert isinstance(port, FieldExplanation)
    assert (port.type, port.default, port.required) == ("integer from 1 to 65535", None, False)
    (save,) = explain("EmailConnector.save_sent").explanations
    assert isinstance(save, FieldExplanation)
    assert set(save.allowed) >= {"always", "never"}
    assert save.default is not None
    names = {item.name for item in explain("smtp.security").explanations}
    assert names == {"EmailConnector.smtp.security", "Provider.smtp.security"}
    done = home("explain", "EmailConnector.smtp.security")
    assert done.status == 0, done.said
    assert "allowed: implicit, starttls, none" in done.out


def test_a_field_of_the_settings_is_explained_too() -> None:
    (depth,) = explain("settings.testing.depth").explanations
    assert isinstance(depth, FieldExplanation)
    assert "envelope" in depth.allowed
    assert explain("settings.environments.NAME.state").explanations


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("smtp.securty", "smtp.security"),
        ("schema/unknown-feild", "schema/unknown-field"),
        ("microsft365", "microsoft365"),
        ("auth_reject", "auth_rejected"),
        ("emailconnector.imap.port", "EmailConnector.imap.port"),
    ],
)
def test_an_unknown_topic_gets_the_nearest_suggestion(wrong: str, right: str, home: Home) -> None:
    done = home("explain", wrong)
    assert done.status == 64
    assert f"Did you mean `{right}`?" in done.err


@pytest.mark.parametrize("topic", ["", ".", "$", "\x1b[31m", "[", "\\", "qqqqqqqqqqqqqqqqqq"])
def test_an_invalid_topic_is_rejected_with_a_reason(topic: str, home: Home) -> None:
    done = home("explain", topic)
    assert done.status == 64
    assert "Give a field such as" in done.err or "Did you mean" in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize("topic", ["security", "file/missing", "microsoft365", "dns", "settings"])
def test_every_explanation_is_what_its_schema_says(topic: str, home: Home) -> None:
    done = home("explain", topic, "--format", "json")
    assert done.status == 0, done.said
    document = conforms("explain", done.out)
    assert document == json.loads(done.out)
    assert document["topic"] == topic
    assert all(item["name"].endswith(topic) for item in document["explanations"])


def test_no_project_is_needed(bare: Home) -> None:
    (bare.folder / "reconciler.yaml").write_text("nonsense: [", encoding="utf-8")
    done = bare("explain", "timeout")
    assert done.status == 0, done.said
    assert "what happened: no answer in time" in done.out
