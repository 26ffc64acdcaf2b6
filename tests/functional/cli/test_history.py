"""Who applied what, and what changed between two revisions, on both kinds of stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.builders import FINGERPRINT_KEY

if TYPE_CHECKING:
    from tests.functional.conftest import Home

SCHEMAS = Path(__file__).parents[3] / "schemas"


def document(home: Home, schema: str, *arguments: str) -> Any:
    """The JSON that a command prints, which its published schema describes."""
    done = home(*arguments, "--format", "json")
    assert done.status == 0, done.said
    found = json.loads(done.out)
    text = (SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")
    jsonschema.validate(found, json.loads(text))
    return found


@pytest.fixture
def eventful(shared: Home) -> Home:
    """The example, and two revisions more: a rename with other changes, and a delete."""
    shared.apply_untested()
    shared.edit("newsletter.yaml", "name: newsletter", "name: news\nrenamed_from: newsletter")
    shared.edit("support.yaml", "Support mailbox", "Help desk")
    shared.apply_untested()
    shared.remove("invoices.yaml")
    shared.apply_untested()
    return shared


def test_the_history_of_a_resource_names_the_fields_and_its_former_name(eventful: Home) -> None:
    lines = eventful("history", "support").out.splitlines()
    assert "update: display_name" in lines[1]
    assert "create" in lines[2]
    assert "rename from newsletter" in eventful("history", "news").out
    assert eventful("history", "newsletter").out == eventful("history", "news").out
    (newest,) = document(eventful, "history", "history", "support", "--limit", "1")["entries"]
    assert newest["fields"] == [
        {"path": "display_name", "before": "Support mailbox", "after": "Help desk", "source": None}
    ]


def test_one_revision_is_shown_in_the_words_of_a_plan(eventful: Home) -> None:
    shown = eventful("history", "show", "2").out
    assert "# EmailConnector.newsletter was renamed to news" in shown
    assert '~ display_name = "Support mailbox" -> "Help desk"' in shown
    assert "0 added, 2 changed, 0 destroyed." in shown
    assert "mail-lead@contoso.example (RECONCILER_ACTOR)" in shown
    changes = document(eventful, "history", "history", "show", "2")["resource_changes"]
    assert [item["address"] for item in changes] == [
        "EmailConnector.news", "EmailConnector.support"]  # fmt: skip
    assert document(eventful, "history", "history")["revisions"][0]["serial"] == 3


def test_a_diff_sums_up_revisions_in_both_directions(eventful: Home) -> None:
    forth = document(eventful, "diff", "diff", "1")
    assert forth["to_serial"] == 3
    assert forth["summary"] == {"add": 0, "change": 2, "destroy": 2}
    assert document(eventful, "diff", "diff", "3", "1")["summary"] == {
        "add": 2, "change": 2, "destroy": 0}  # fmt: skip
    assert "# EmailConnector.news would be renamed to newsletter" in eventful("diff", "3", "1").out
    assert "No differences" in eventful("diff", "3").out
    everything = document(eventful, "diff", "diff", "0", "1")
    assert {item["change"]["actions"][0] for item in everything["resource_changes"]} == {"create"}


def test_a_deleted_and_recreated_resource_is_an_update_in_a_diff(eventful: Home) -> None:
    text = (Path(__file__).parents[3] / "connectors.d" / "invoices.yaml").read_text("utf-8")
    text = text.replace("Supplier invoices", "Bills")
    (eventful.config / "invoices.yaml").write_text(text, encoding="utf-8")
    eventful.apply_untested()
    between = eventful("diff", "2", "4").out
    assert "# EmailConnector.invoices was updated" in between
    assert "0 added, 1 changed, 0 destroyed." in between
    assert "# EmailConnector.invoices was created" in eventful("history", "show", "4").out


def test_a_rotated_secret_is_shown_by_the_revision(shared: Home) -> None:
    shared.environ |= {"RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY, "INFO_APP_PASSWORD": "one"}
    shared.apply_untested()
    shared.environ["INFO_APP_PASSWORD"] = "two"
    shared.apply_untested()
    assert "# EmailConnector.info has a rotated secret" in shared("history", "show", "2").out
    assert "rotate_secret" in shared("history", "info").out
