"""A database that restarts, disconnects, or is read-only: a message, and nothing half written."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.functional.terminal import PLAINLY, QUESTION, Terminal, terminal
from tests.servers.late_commit import LateCommit
from tests.servers.loopback import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.conftest import Home
    from tests.servers.postgresql import Postgresql

SKIP = ("--skip-tests", "no servers here")
APPLY = ("apply", "--auto-approve", *SKIP)
READING: tuple[tuple[str, ...], ...] = (
    ("plan",),
    ("status",),
    ("history",),
    ("state", "lock"),
    ("show", "info"),
)
IMPATIENT = f"import reconciler.state.sql.store as store; store._WAITS = (0.01,); {PLAINLY}"

pytestmark = pytest.mark.server


@pytest.fixture
def server(postgresql: Postgresql) -> Iterator[Postgresql]:
    postgresql.clear(["reader"])
    yield postgresql
    postgresql.start_again()
    postgresql.clear(["reader"])


@pytest.fixture
def team(home: Home, server: Postgresql) -> Home:
    """An applied example on the server, with one change that is not applied yet."""
    home.environ["RECONCILER_STATE"] = server.url
    home.apply_untested()
    home.edit("info.yaml", "General enquiries", "Help desk")
    return home


@contextmanager
def asking(home: Home, code: str = PLAINLY) -> Iterator[Terminal]:
    """An apply between its lock and its commit."""
    with terminal(home, "apply", *SKIP, code=code) as shell:
        shell.read_until(QUESTION)
        yield shell


def is_as_before(home: Home) -> None:
    """Nothing was written, and the same plan can be made and applied."""
    assert json.loads(home("status", "--format", "json").out)["serial"] == 1
    assert [len(json.loads(home("history", "--format", "json").out)["revisions"])] == [1]
    assert "1 to change" in home("plan").out
    assert "General enquiries" in home("show", "info").out


def is_applied(home: Home) -> None:
    assert json.loads(home("status", "--format", "json").out)["serial"] == 2
    assert "No changes" in home("plan").out
    assert home("state", "lock").out == "The state is not locked.\n"


def test_a_restart_between_lock_and_commit_is_not_even_noticed(
    team: Home, server: Postgresql
) -> None:
    with asking(team) as shell:
        server.restart()
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown
    is_applied(team)


def test_a_server_that_is_still_starting_is_waited_for(team: Home, server: Postgresql) -> None:
    with asking(team) as shell:
        server.stop()
        shell.type("yes\n")
        server.start()
        assert shell.wait() == 0, shell.shown
    is_applied(team)


def test_an_unreachable_server_is_reported_and_nothing_was_written(
    team: Home, server: Postgresql
) -> None:
    with asking(team, IMPATIENT) as shell:
        server.stop()
        shell.type("yes\n")
        assert shell.wait() == 1, shell.shown
    said = " ".join(shell.shown.split())
    assert "cannot be reached or used" in said
    assert said.endswith("Nothing was written.")
    assert "Traceback" not in said
    server.start()
    is_as_before(team)


def test_a_connection_that_is_cut_within_the_commit_leaves_nothing(
    team: Home, server: Postgresql
) -> None:
    import psycopg

    with asking(team) as shell:
        with psycopg.connect(server.url) as other:
            other.execute("SELECT * FROM reconciler.meta FOR UPDATE")
            shell.type("yes\n")
            waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_until(lambda: bool(server.execute(f"SELECT pid {waiting}")), "the commit waits")
            server.execute(f"SELECT pg_terminate_backend(pid) {waiting}")
        assert shell.wait() == 1, shell.shown
    said = " ".join(shell.shown.split())
    assert "dropped the connection: terminating connection" in said
    assert said.endswith("run the command again Nothing was written.")
    is_as_before(team)
    assert "not locked" in team("state", "lock").out


def test_a_commit_that_arrives_after_the_look_counts(team: Home, server: Postgresql) -> None:
    with LateCommit(server) as between:
        team.environ["RECONCILER_STATE"] = between.url
        with asking(team) as shell:
            between.arm()
            shell.type("yes\n")
            assert shell.wait() == 0, shell.shown
        is_applied(team)


def test_a_commit_that_may_still_arrive_is_not_denied(team: Home, server: Postgresql) -> None:
    with LateCommit(server, deliver=False) as between:
        team.environ["RECONCILER_STATE"] = between.url
        with asking(team, IMPATIENT) as shell:
            between.arm()
            shell.type("yes\n")
            assert shell.wait() == 1, shell.shown
    said = " ".join(shell.shown.split())
    assert said.endswith("Revision 2 may have been written; `reconciler history` shows it.")
    assert "Traceback" not in said


def test_a_user_whose_transactions_only_read_plans_and_does_not_apply(
    team: Home, server: Postgresql
) -> None:
    server.execute(
        "CREATE ROLE reader LOGIN SUPERUSER",
        "ALTER ROLE reader SET default_transaction_read_only = on",
    )
    reads_only(team, server.url_of("reader"))
    is_as_before(team)


def test_a_replica_plans_and_does_not_apply(team: Home, server: Postgresql) -> None:
    from tests.servers.postgresql import Postgresql

    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        replica = Postgresql(server.programs, Path(folder), copy_of=server)
        try:
            assert replica.execute("SELECT pg_is_in_recovery()") == [(True,)]
            reads_only(team, replica.url)
        finally:
            replica.stop()
    is_as_before(team)


def reads_only(home: Home, url: str) -> None:
    for command in READING:
        done = home(*command, RECONCILER_STATE=url)
        assert done.status == 0, done.said
    writing: tuple[tuple[str, ...], ...] = (APPLY, ("state", "unlock", "0123", "--yes"))
    for command in writing:
        done = home(*command, RECONCILER_STATE=url)
        assert done.status == 1, done.said
        assert "is read-only here: cannot execute" in done.err
        assert "default_transaction_read_only" in done.err
        assert "Traceback" not in done.said


def test_every_command_reports_a_missing_server(team: Home, server: Postgresql) -> None:
    server.stop()
    for command in (*READING, APPLY):
        done = team(*command)
        assert done.status == 1
        assert "cannot be reached or used: connection" in done.err
        assert "Traceback" not in done.said
