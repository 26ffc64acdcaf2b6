"""What the state remembers against a hostile pull request: attempts, past destinations, settings.

docs/security.md names these tests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.sign_in_attempt import AttemptOutcome
from reconciler.state.sql.store import open_store
from tests.hostile.scripts import hold, imap
from tests.hostile.server import HostileServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Home
    from tests.hostile.server import Peer

REFUSED = 5
REJECTED = 4
STALE = 6
SECRET = "s3ntinel-v4lue-of-the-owner"
OTHER = "an0ther-v4lue-of-the-owner"
SKIP = ("--skip-tests", "no servers here")

BOX = """\
kind: EmailConnector
name: {name}
imap:
  server: {host}
  port: {port}
  security: {security}
  username: {name}@contoso.example
  password: {reference}
"""


def box(home: Home, name: str, host: str, reference: str, port: int = 993) -> Path:
    """A connector that only reads."""
    security = "none" if host == "127.0.0.1" else "implicit"
    text = BOX.format(name=name, host=host, port=port, security=security, reference=reference)
    return home.write(f"{name}.yaml", text)


@pytest.fixture
def strict(bare: Home) -> Home:
    """One connector, applied with its secret, in a run that allows no credential beforehand."""
    bare.environ.pop("RECONCILER_ALLOW_CREDENTIAL", None)
    bare.environ |= {"SUPPORT_PASSWORD": SECRET, "NEWS_PASSWORD": OTHER}
    box(bare, "support", "imap.contoso.example", "env:SUPPORT_PASSWORD")
    bare.apply_untested("--allow-credential=env:SUPPORT_PASSWORD")
    return bare


def attempts(home: Home, *arguments: str) -> list[dict[str, Any]]:
    """The attempts to sign in, newest first."""
    done = home("history", "attempts", "--format", "json", *arguments)
    assert done.status == 0, done.said
    assert SECRET not in done.said
    found: list[dict[str, Any]] = json.loads(done.out)["attempts"]
    lines = home("history", "attempts", "--format", "jsonl", *arguments).out.splitlines()
    assert [json.loads(line) for line in lines] == found
    return found


# --- attempts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("apply", "--auto-approve"), "apply"),
        (("test", "thief"), "test"),
        (("doctor", "thief"), "doctor"),
        (("plan", "--test"), "plan --test"),
    ],
)
def test_a_secret_that_a_foreign_server_refuses_leaves_a_trace(
    command: tuple[str, ...], name: str, strict: Home
) -> None:
    seen: list[AttemptOutcome] = []

    def refuse(peer: Peer, _: str) -> None:
        # Recorded before the connection was made: by now it is there.
        recorded = open_store(f"sqlite:///{strict.state}").attempts()
        seen.extend(item.outcome for item in recorded if item.connector == "thief")
        peer.send(f"{peer.lines[-1].split()[0]} NO [AUTHENTICATIONFAILED] no\r\n")

    with HostileServer(imap(AUTHENTICATE=refuse, LOGIN=refuse)) as server:
        box(strict, "thief", "127.0.0.1", "env:NEWS_PASSWORD", server.port)
        port = server.port
        option = "--allow-credential=env:NEWS_PASSWORD=127.0.0.1"
        done = strict(*command, option, "--actor", "eve@contoso.example")
    assert done.status == REJECTED, done.said
    assert seen[0] is AttemptOutcome.STARTED
    entry = next(item for item in attempts(strict) if item["connector"] == "thief")
    assert (entry["command"], entry["actor"]) == (name, "eve@contoso.example")
    assert (entry["reference"], entry["host"]) == ("env:NEWS_PASSWORD", "127.0.0.1")
    assert (entry["port"], entry["security"]) == (port, "none")
    assert (entry["outcome"], entry["error_class"]) == ("failed", "auth_rejected")
    shown = strict("history", "attempts").out
    assert f"  127.0.0.1:{port}" in shown
    assert "failed: auth_rejected" in shown
    assert len(json.loads(strict("history", "--format", "json").out)["revisions"]) == 1


def test_drift_leaves_a_trace_too(strict: Home) -> None:
    with HostileServer(imap()) as server:
        strict.edit("support.yaml", "imap.contoso.example", "127.0.0.1")
        strict.edit("support.yaml", "993", str(server.port))
        strict.edit("support.yaml", "implicit", "none")
        strict.apply_untested("--allow-credential=*")
        strict("drift")
    (entry,) = attempts(strict)
    assert (entry["command"], entry["outcome"]) == ("drift", "signed_in")


def test_an_attempt_of_a_process_that_was_killed_has_no_end(strict: Home) -> None:
    with HostileServer(imap(AUTHENTICATE=hold, LOGIN=hold)) as server:
        box(strict, "thief", "127.0.0.1", "env:NEWS_PASSWORD", server.port)
        process = strict.start("test", "thief", "--allow-credential", "env:NEWS_PASSWORD")
        while process.poll() is None and not server.commands("AUTHENTICATE", "LOGIN"):
            pass
        process.kill()
        process.communicate(timeout=30)
    (entry,) = attempts(strict, "--connector", "thief")
    assert entry["outcome"] == "started"
    assert attempts(strict, "--outcome", "started") == [entry]
    assert "no end recorded" in strict("history", "attempts").out


def test_a_server_that_is_not_reached_was_sent_nothing(strict: Home, closed_port: int) -> None:
    box(strict, "thief", "127.0.0.1", "env:NEWS_PASSWORD", closed_port)
    strict("test", "thief", "--allow-credential", "env:NEWS_PASSWORD")
    (entry,) = attempts(strict)
    assert (entry["outcome"], entry["error_class"]) == ("not_sent", "refused")


def test_a_test_that_ends_before_the_sign_in_attempts_none(strict: Home) -> None:
    with HostileServer(imap()) as server:
        box(strict, "news", "127.0.0.1", "env:NEWS_PASSWORD", server.port)
        assert strict("test", "news", "--depth", "capabilities").status == 0
    assert attempts(strict) == []


def test_a_token_endpoint_is_a_destination_of_its_own(strict: Home, closed_port: int) -> None:
    endpoint = f"https://127.0.0.1:{closed_port}/token"
    with HostileServer(imap()) as server:
        path = box(strict, "thief", "127.0.0.1", "env:NEWS_PASSWORD", server.port)
        credential = (
            "oauth2: {grant: client_credentials, client_id: x, client_secret: env:NEWS_PASSWORD, "
            f"token_endpoint: '{endpoint}', scopes: [mail]}}"
        )
        path.write_text(path.read_text().replace("password: env:NEWS_PASSWORD", credential))
        done = strict("test", "thief", "--allow-credential", "env:NEWS_PASSWORD")
    assert done.status != REFUSED, done.said
    assert {(item["host"], item["security"]) for item in attempts(strict)} == {
        ("127.0.0.1", "none"),
        (endpoint, "https"),
    }


def test_without_a_state_nothing_is_recorded_or_created(bare: Home, closed_port: int) -> None:
    box(bare, "thief", "127.0.0.1", "env:NEWS_PASSWORD", closed_port)
    bare("test", "thief", "--allow-credential", "*", NEWS_PASSWORD=OTHER)
    assert not bare.state.exists()
    assert attempts(bare) == []


def test_only_administrators_prune_attempts(strict: Home, closed_port: int) -> None:
    strict.write("roles.yaml", "kind: Roles\nadministrators: {users: [ada@contoso.example]}\n")
    strict.apply_untested()
    box(strict, "thief", "127.0.0.1", "env:NEWS_PASSWORD", closed_port)
    strict("test", "thief", "--allow-credential", "env:NEWS_PASSWORD")
    prune = ("history", "attempts", "--prune", "0s", "--yes")
    assert strict(*prune, "--actor", "eve@contoso.example").status == 8
    assert len(attempts(strict)) == 1
    done = strict(*prune, "--actor", "ada@contoso.example")
    assert (done.status, done.out) == (0, "Deleted 1 attempt.\n")
    assert attempts(strict) == []


# --- past destinations ----------------------------------------------------------------------------


def test_a_connector_recreated_elsewhere_is_judged_by_where_its_secret_went(
    strict: Home,
) -> None:
    strict.remove("support.yaml")
    strict.apply_untested("--allow-deletes", "1")
    box(strict, "helpdesk", "imap.attacker.example", "env:SUPPORT_PASSWORD")
    planned = strict("plan").out
    assert "applied at    imap.contoso.example:993 (implicit) as support@contoso.example" in planned
    assert strict("apply", "--auto-approve", *SKIP).status == REFUSED
    strict.remove("helpdesk.yaml")
    box(strict, "support", "imap.contoso.example", "env:SUPPORT_PASSWORD")
    strict.apply_untested()  # where it was applied before, no approval is needed


def test_the_past_of_a_state_of_an_older_release_is_remembered(strict: Home) -> None:
    import shutil

    from tests.contract.write_state import STATES

    shutil.copyfile(STATES / "0002.db", strict.state)  # keeps the mode
    assert strict("state", "migrate").status == 0
    remembered = open_store(f"sqlite:///{strict.state}").load().credential_uses
    assert ("env:OLD_PASSWORD", "imap.contoso.example") in {
        (str(use.reference), use.destination.host) for use in remembered
    }


def test_a_reference_that_comes_to_hold_a_known_secret_is_refused_elsewhere(strict: Home) -> None:
    box(strict, "news", "imap.attacker.example", "env:NEWS_PASSWORD")
    strict.apply_untested("--allow-credential=env:NEWS_PASSWORD")
    strict.environ["NEWS_PASSWORD"] = SECRET  # by a change of the pipeline's own file
    for command in (("apply", "--auto-approve"), ("apply", "--auto-approve", *SKIP),
                    ("test", "news"), ("doctor", "news"), ("drift",)):  # fmt: skip
        done = strict(*command)
        assert done.status == REFUSED, (command, done.said)
        assert "it is the same secret as env:SUPPORT_PASSWORD" in done.err
        assert SECRET not in done.said
    planned = strict("plan", "--check-secrets").out
    assert "the same as   env:SUPPORT_PASSWORD" in planned
    assert "applied at    imap.contoso.example:993" in planned
    assert attempts(strict) == []
    strict.apply_untested("--allow-credential=env:NEWS_PASSWORD=imap.attacker.example")
    strict.apply_untested()


def test_a_secret_is_rotated_without_a_question(strict: Home) -> None:
    strict.environ["SUPPORT_PASSWORD"] = "a-new-value-of-the-owner"
    strict.apply_untested()
    assert json.loads(strict("history", "--format", "json").out)["revisions"][0]["changed"] == 1


# --- settings -------------------------------------------------------------------------------------


def test_settings_that_differ_from_the_last_apply_are_in_the_plan(strict: Home) -> None:
    strict.write("../reconciler.yaml", "allowed_hosts: ['*.contoso.example']\n")
    strict.apply_untested()
    saved = strict.folder.parent / "plan.json"
    assert strict("plan", "--out", str(saved)).status == 0
    strict.write("../reconciler.yaml", "testing: {depth: dns}\nlimits: {max_delete_percent: 100}\n")
    shown = strict("plan").out
    assert "Settings that differ from the last apply:" in shown
    assert "~ allowed_hosts: *.contoso.example (reconciler.yaml) -> any (default)" in shown
    assert "~ testing.depth: envelope (default) -> dns (reconciler.yaml)" in shown
    assert "No changes of resources, but other settings are in force" in shown
    row = "| `allowed_hosts` | `*.contoso.example` (reconciler.yaml) | `any` (default) |"
    assert row in strict("plan", "--format", "markdown").out
    document = json.loads(strict("plan", "--format", "json").out)
    assert {item["name"] for item in document["settings_changes"]} == {
        "allowed_hosts",
        "limits.max_delete_percent",
        "testing.depth",
    }
    assert strict("apply", str(saved), *SKIP).status == STALE
    assert "Settings that differ" in strict("apply", "--auto-approve", *SKIP).said
    shown = strict("plan").out
    assert "Settings that differ" not in shown
    assert "No changes. The stored state matches" in shown
    assert json.loads(strict("history", "--format", "json").out)["revisions"][0]["serial"] == 1


def test_settings_of_the_owner_and_the_repository_are_distinguished(strict: Home) -> None:
    strict.apply_untested()
    rules = strict.folder.parent / "rules.yaml"
    rules.write_text("allowed_hosts: ['*.contoso.example']\n")
    rules.chmod(0o600)
    shown = strict("plan", RECONCILER_POLICY=str(rules)).out
    assert "~ allowed_hosts: any (default) -> *.contoso.example (the owner's rules)" in shown
