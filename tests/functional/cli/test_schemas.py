"""The JSON output of commands matches the published schemas exactly."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from jsonschema import Draft202012Validator

from reconciler.app.schemas import outdated

if TYPE_CHECKING:
    from tests.functional.conftest import Home

ROOT: Final = Path(__file__).parents[3]
EXAMPLES: Final = sorted(
    path
    for kind in ("valid", "invalid")
    for path in (ROOT / "tests" / "examples" / kind).iterdir()
    if path.is_dir()
)

CLERK: Final = "bruno@contoso.example"
LEAD: Final = "mail-lead@contoso.example"
STRANGER: Final = "someone@elsewhere.example"


def conforms(name: str, text: str) -> dict[str, Any]:
    """Validate a document by the schema in the repository; a field that it does not know is an error."""
    schema = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    for item in (schema, *schema.get("$defs", {}).values()):
        if "properties" in item:
            item["additionalProperties"] = False
            item["required"] = sorted(item["properties"])
    document = json.loads(text)
    Draft202012Validator(schema).validate(document)
    assert isinstance(document, dict)
    return document


def test_the_schemas_of_the_repository_are_those_that_are_printed() -> None:
    assert outdated(ROOT / "schemas") == ()


def test_every_route_is_what_its_schema_says(home: Home) -> None:
    home.apply_untested()
    seen = set()
    for who, sender, connector, forced, files in product(
        (CLERK, LEAD, STRANGER),
        (None, "support@contoso.example", "nobody@contoso.example"),
        (None, "support", "invoices", "no-such-connector"),
        (False, True),
        (False, True),
    ):
        if forced and not files:
            continue
        home.write("policy.yaml", "kind: GlobalSmtpPolicy\nenabled: " + ("true" if forced else "false")
                   + "\nconnector: no-reply\n")  # fmt: skip
        options = ["--as", who, "--format", "json", *(["--from", sender] if sender else [])]
        options += [*(["--connector", connector] if connector else []), *(["-c"] if files else [])]
        done = home("route", *options)
        document = conforms("route", done.out)
        assert document["allowed"] is (done.status == 0)
        seen.add(document["decision"]["reason"])
    assert seen >= {"global_policy", "named", "sender", "unknown_connector", "not_permitted"}


def test_every_stored_resource_is_what_its_schema_says(live: Home, closed_port: int) -> None:
    live("apply", "--auto-approve")
    live.redirect("imap.gmail.com", 993, closed_port)
    live("test")
    exported = json.loads(live("state", "export").out)
    addresses = [f"{item['kind']}.{item['name']}" for item in exported["resources"]]
    seen = set()
    for address in addresses:
        document = conforms("show", live("show", address, "--format", "json").out)
        assert document["address"] == address
        assert (document["status"] is None) is not address.startswith("EmailConnector.")
        seen.add(document["status"])
    assert seen >= {None, "ready", "failing"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_validation_is_what_its_schema_says(example: Path, bare: Home) -> None:
    shutil.copytree(example, bare.folder, dirs_exist_ok=True)
    done = bare("validate", "--format", "json")
    if done.out:
        document = conforms("validate", done.out)
        assert document["valid"] is (done.status == 0)
        assert document["diagnostics"] or document["valid"]
    else:
        assert "reconciler.yaml" in done.err  # settings that cannot be read stop every command


SETTINGS: Final = """\
limits: {max_delete_percent: 90, min_connectors: 3}
allowed_hosts: ["*.example"]
secrets: {allow_command: true}
testing: {depth: dns}
"""
RULES: Final = """\
limits: {max_delete_percent: 20}
allowed_hosts: ["imap.contoso.example"]
credentials:
  - references: ["env:*_PASSWORD"]
    hosts: ["*.contoso.example"]
"""


@pytest.mark.parametrize("ci", [{}, {"CI": "true"}, {"GITHUB_ACTIONS": "true"}], ids=str)
@pytest.mark.parametrize("rules", ["", RULES], ids=["free", "rules"])
@pytest.mark.parametrize("settings", ["", SETTINGS], ids=["default", "file"])
def test_all_settings_are_what_their_schema_says(
    settings: str, rules: str, ci: dict[str, str], home: Home
) -> None:
    del home.environ["RECONCILER_ALLOW_CREDENTIAL"]
    environ = dict(ci)
    home.write("../reconciler.yaml", settings)
    if rules:
        path = home.folder.parent / "rules.yaml"
        path.write_text(rules, encoding="utf-8")
        path.chmod(0o600)
        environ["RECONCILER_POLICY"] = str(path)
    done = home("settings", "--format", "json", **environ)
    assert done.status == 0, done.said
    document = conforms("effective-settings", done.out)
    assert bool(document["ci"]) is bool(ci)
    assert bool(document["credentials"]) is bool(rules)
    assert bool(document["ignored"]) is bool(settings)
