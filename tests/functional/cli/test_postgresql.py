"""A team's state: the same commands on PostgreSQL, over TLS, with a password that is never shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import FINGERPRINT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.conftest import Home
    from tests.servers.postgresql import Postgresql

PASSWORD = "S3cret-of-the-database!"
SKIP = ("--auto-approve", "--skip-tests", "no servers here")

pytestmark = pytest.mark.server


@pytest.fixture
def database(postgresql: Postgresql) -> Iterator[Postgresql]:
    """The server, with a user who may make the schema and has to say a password."""
    postgresql.clear(["writer"])
    postgresql.execute(
        f"CREATE ROLE writer LOGIN PASSWORD '{PASSWORD}'",
        "GRANT CREATE ON DATABASE postgres TO writer",
    )
    yield postgresql
    postgresql.clear(["writer"])


@pytest.fixture
def team(home: Home, database: Postgresql) -> Home:
    """A folder whose settings name the database, and a reference to its password."""
    tls = f"sslmode=verify-full&sslrootcert={database.certificate}"
    home.write(
        "../reconciler.yaml",
        f"state: {database.tcp_url('writer', tls=tls)}\nstate_password: env:STATE_PASSWORD\n",
    )
    home.environ["STATE_PASSWORD"] = PASSWORD
    return home


def test_every_command_works_as_on_a_file(team: Home) -> None:
    said = [team("validate"), team("plan"), team.apply_untested()]
    assert "No changes" in team("plan").out
    team.edit("support.yaml", "Support mailbox ", "Help desk ")
    said += [
        team("plan", "--out", "plan.json"),
        team("show", "plan.json"),
        team("apply", "plan.json", "--skip-tests", "no servers here"),
        team("status", "--format", "json"),
        team("history"),
        team("show", "support", "--format", "json"),
        team("state", "lock"),
        team("route", "--from", "support@contoso.example", "--as", "ada@contoso.example"),
    ]
    assert [done.status for done in said[:-1]] == [0] * 10
    assert "Help desk" in team("show", "support").out
    assert json.loads(team("status", "--format", "json").out)["serial"] == 2
    assert not team.state.exists()
    assert PASSWORD not in "".join(done.said for done in said)


def test_the_password_is_in_no_table_and_in_no_file(team: Home, database: Postgresql) -> None:
    team.apply_untested()
    team("plan", "--out", "plan.json")
    (dumped,) = database.execute("SELECT schema_to_xml('reconciler', true, false, '')::text")[0]
    assert "EmailConnector" in dumped
    assert PASSWORD not in dumped
    written = [path for path in team.folder.rglob("*") if path.is_file()]
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


@pytest.mark.parametrize("command", [("plan",), ("status",), ("apply", *SKIP), ("state", "lock")])
def test_a_missing_password_is_named_by_its_reference(command: tuple[str, ...], team: Home) -> None:
    del team.environ["STATE_PASSWORD"]
    done = team(*command)
    assert done.status == 1
    assert "the state cannot be opened: the secret env:STATE_PASSWORD" in done.err


@pytest.mark.parametrize("command", [("plan",), ("apply", *SKIP)])
def test_a_wrong_password_is_reported_without_a_traceback(
    command: tuple[str, ...], team: Home
) -> None:
    done = team(*command, STATE_PASSWORD="hunter2")
    assert done.status == 1
    assert "does not let this user sign in" in done.err
    assert "hunter2" not in done.said


def test_validation_needs_no_password(team: Home) -> None:
    del team.environ["STATE_PASSWORD"]
    assert team("validate").status == 0


def test_settings_that_are_wrong_do_not_lead_to_another_state(team: Home) -> None:
    team.apply_untested()
    team.write("../reconciler.yaml", "state: postgresql://writer:hunter2@db.contoso.example/x\n")
    for command in (("status",), ("history",), ("state", "lock"), ("plan",), ("apply", *SKIP)):
        done = team(*command)
        assert done.status == 3, command
        assert "settings/state-password" in done.said
        assert "hunter2" not in done.said


def test_the_password_of_the_settings_goes_with_their_own_state_alone(
    team: Home, database: Postgresql
) -> None:
    tls = f"sslmode=verify-full&sslrootcert={database.certificate}"
    url = database.tcp_url("writer", tls=tls)
    team.write("../reconciler.yaml", "state_password: env:STATE_PASSWORD\n")
    done = team("apply", "--state", url, *SKIP)
    assert done.status != 0, "reconciler.yaml must not say what another state is opened with"
    owner = {"RECONCILER_STATE_PASSWORD": "env:STATE_PASSWORD"}
    done = team("apply", "--state", url, *SKIP, **owner)
    assert done.status == 0, done.said
    assert team("plan", "--detailed-exitcode", RECONCILER_STATE=url, **owner).status == 0


def test_a_missing_fingerprint_key_is_reported(team: Home) -> None:
    note = "Note: no fingerprint key is set, so rotated secrets go unnoticed"
    assert note in team.apply_untested().err
    assert note in team("plan", "--check-secrets").err
    assert note not in team("plan").err
    team.environ["RECONCILER_FINGERPRINT_KEY"] = FINGERPRINT_KEY
    assert note not in team.apply_untested().err


def test_a_plan_that_is_bound_to_secrets_requires_the_key_for_its_apply(team: Home) -> None:
    team.environ |= {"RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY, "INFO_APP_PASSWORD": "x"}
    done = team("plan", "--check-secrets", "--out", "plan.json")
    assert done.status == 0
    del team.environ["RECONCILER_FINGERPRINT_KEY"]
    done = team("apply", "plan.json", "--skip-tests", "no servers here")
    assert done.status == 6
    assert "cannot be compared without the fingerprint key" in done.err


def test_secrets_that_cannot_be_read_are_named(home: Home) -> None:
    done = home.apply_untested()
    assert "Note: some secrets could not be read" in done.err
    assert "env:INFO_APP_PASSWORD" in home("plan", "--check-secrets").err
