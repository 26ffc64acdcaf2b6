"""Environments and variables: the same connectors for dev and prod, each with a state of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

INVALID: Final = 3
STALE: Final = 6
USAGE: Final = 64
UNTESTED: Final = ("apply", "--auto-approve", "--skip-tests", "no servers here")

SETTINGS: Final = """\
variables:
  domain: {type: host, description: Where our mail is}
  prefix: {default: SUPPORT}
environments:
  dev:
    variables: {domain: dev.example}
  prod:
    state: sqlite:///prod.db
    allowed_hosts: ["*.prod.example"]
    limits: {min_connectors: 1}
    variables: {domain: prod.example, prefix: LIVE}
"""
CONNECTOR: Final = """\
kind: EmailConnector
name: support
imap:
  server: imap.${var.domain}
  port: 993
  use_ssl: true
  username: support@${var.domain}
  password: env:${var.prefix}_PASSWORD
"""


@pytest.fixture
def two(bare: Home) -> Home:
    """A project with two environments."""
    bare.write("../reconciler.yaml", SETTINGS)
    bare.write("a.yaml", CONNECTOR)
    return bare


def test_each_environment_has_its_values_its_state_and_its_settings(two: Home) -> None:
    for name, prefix in (("dev", "SUPPORT"), ("prod", "LIVE")):
        planned = two("plan", "--env", name)
        assert planned.out.startswith(f"Environment: {name}\n")
        assert f'"imap.{name}.example"' in planned.out
        assert f'"env:{prefix}_PASSWORD"' in planned.out
        assert "${" not in planned.out
        two.apply_untested("--env", name)
        assert "No changes." in two("plan", "--env", name).out
    assert (two.folder / ".reconciler" / "dev" / "state.db").exists()
    assert (two.folder / "prod.db").exists()
    assert "imap.dev.example" in two("show", "support", "--env", "dev").out
    assert "imap.prod.example" in two("show", "support", RECONCILER_ENV="prod").out
    dev, prod = (two("settings", "--env", name).out for name in ("dev", "prod"))
    assert "*.prod.example" in prod
    assert "*.prod.example" not in dev


def test_validate_names_the_environment(two: Home) -> None:
    assert "The configuration is valid for dev:" in two("validate", "--env", "dev").out
    document = json.loads(two("validate", "--env", "prod", "--format", "json").out)
    assert document["environment"] == "prod"


@pytest.mark.parametrize("command", ["validate", "plan", "apply", "test", "status", "settings"])
def test_without_a_choice_the_environments_are_listed(two: Home, command: str) -> None:
    done = two(command)
    assert done.status == USAGE
    assert "declares 2 environments, but none was chosen" in done.err
    assert "Choose `dev` or `prod` with --env, or set RECONCILER_ENV." in done.err


def test_settings_with_errors_make_no_variable_unknown(two: Home) -> None:
    two.write("../reconciler.yaml", SETTINGS.replace("sqlite:///prod.db", "prod.db"))
    done = two("validate", "--env", "dev")
    assert done.status == INVALID
    assert "`environments.prod.state` must be a URL" in done.out
    assert "variable/unknown" not in done.out


def test_an_unknown_environment_is_a_mistake(two: Home) -> None:
    done = two("plan", "--env", "prd")
    assert done.status == USAGE
    assert "Did you mean `prod`?" in done.err
    (two.folder / "reconciler.yaml").unlink()
    done = two("plan", "--env", "prod")
    assert done.status == USAGE
    assert "It declares none." in done.err


def test_one_environment_needs_no_choice(two: Home) -> None:
    two.write("../reconciler.yaml", SETTINGS.partition("  prod:")[0])
    assert "valid for dev" in two("validate").out


def test_commands_without_a_configuration_need_no_environment(two: Home) -> None:
    assert two("fmt", "--check").status == 0
    two.apply_untested("--env", "prod")
    state = f"sqlite:///{two.folder}/prod.db"
    assert "support" in two("status", "--state", state).out


def test_a_saved_plan_is_bound_to_its_environment(two: Home) -> None:
    two.edit("../reconciler.yaml", "dev:\n", "dev:\n    state: sqlite:///dev.db\n")
    assert two("plan", "--env", "dev", "--out", "plan.json").status == 0
    assert "Environment: dev" in two("show", "plan.json").out
    done = two(*UNTESTED, "plan.json", "--env", "prod")
    assert done.status == STALE


def test_a_variable_without_a_value_is_found_where_it_is_used(two: Home) -> None:
    two.edit("../reconciler.yaml", "    variables: {domain: dev.example}\n", "    limits: {}\n")
    done = two("validate", "--env", "dev")
    assert done.status == INVALID
    assert "connectors.d/a.yaml:4:11: error:" in done.out
    assert "The variable domain has no value in the environment dev." in done.out
    assert two("validate", "--env", "prod").status == 0


def test_values_come_from_nowhere_else(two: Home) -> None:
    two.environ |= {"domain": "elsewhere.example", "DOMAIN": "elsewhere.example"}
    two.edit("a.yaml", "support@${var.domain}", "support@${DOMAIN}")
    done = two("validate", "--env", "dev")
    assert done.status == INVALID
    assert "[variable/syntax]" in done.out
    assert "elsewhere.example" not in done.said


def test_a_variable_within_a_secret_never_reveals_it(two: Home) -> None:
    two.edit("a.yaml", "env:${var.prefix}_PASSWORD", "Hunter2${oops}")
    done = two("validate", "--env", "dev")
    assert done.status == INVALID
    assert "Hunter2" not in done.said


def test_shell_variables_in_commands_are_left_to_the_shell(two: Home) -> None:
    """A shell has its own: what looks like one of ours is left to it."""
    two.edit("a.yaml", "env:${var.prefix}_PASSWORD", "command:pass show ${HOME}/x")
    done = two("validate", "--env", "dev")
    assert "[variable/" not in done.out
    assert "[secret/scheme-not-allowed]" in done.out


def test_in_ci_an_environment_loosens_nothing(two: Home) -> None:
    two.edit("../reconciler.yaml", "min_connectors: 1", "min_connectors: 1000")
    settings = two(
        "settings",
        "--env",
        "prod",
        CI="true",
        GITHUB_ACTIONS="true",
        RECONCILER_STATE="sqlite:///x.db",
    )
    assert "reconciler.yaml may not loosen limits.min_connectors" in settings.said
    named = two("status", "--env", "prod", CI="true", GITHUB_ACTIONS="true")
    assert named.status == USAGE
    assert "reconciler.yaml names the state" in named.err


def test_fmt_leaves_variables_as_they_are(two: Home) -> None:
    two.edit("a.yaml", "  server:", "    server:")
    two("fmt")
    assert "${var.domain}" in (two.config / "a.yaml").read_text()
