"""The grants that the documentation recommends, as it says them, on a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.conftest import Home
    from tests.servers.postgresql import Postgresql

PAGE = Path(__file__).parents[3] / "docs" / "teams.md"
ROLES = ("mail_owner", "mail_writer", "mail_reader")
SKIP = ("--auto-approve", "--skip-tests", "no servers here")

pytestmark = pytest.mark.server


def blocks() -> list[list[str]]:
    """The statements of each block of SQL on the page."""
    found = re.findall(r"^```sql\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [
        [line for line in re.sub(r"--.*", "", block).replace("\n", " ").split(";") if line.strip()]
        for block in found
    ]


@pytest.fixture
def server(postgresql: Postgresql) -> Iterator[Postgresql]:
    postgresql.clear(ROLES)
    yield postgresql
    postgresql.clear(ROLES)


@pytest.fixture
def granted(home: Home, server: Postgresql) -> Home:
    """A folder whose state was set up as the page says, and is written by ``mail_writer``."""
    before, after = blocks()
    server.execute(*before)
    home.environ["RECONCILER_STATE"] = server.url_of("mail_owner")
    home.apply_untested()
    server.execute(*after, url=server.url_of("mail_owner"))
    home.environ["RECONCILER_STATE"] = server.url_of("mail_writer")
    return home


def test_the_writer_applies(granted: Home) -> None:
    granted.edit("info.yaml", "General enquiries", "Help desk")
    granted.apply_untested()
    granted.edit("info.yaml", "name: info\n", "name: enquiries\nrenamed_from: info\n")
    granted.edit("info.yaml", "connector: info\n", "connector: enquiries\n")
    granted.apply_untested()
    granted.remove("info.yaml")
    granted.apply_untested()
    assert "No changes" in granted("plan").out
    assert "not locked" in granted("state", "lock").out


def test_the_reader_reads(granted: Home, server: Postgresql) -> None:
    granted.environ["RECONCILER_STATE"] = server.url_of("mail_reader")
    granted.edit("info.yaml", "General enquiries", "Help desk")
    for command in (
        ("plan",),
        ("plan", "--out", "plan.json"),
        ("status",),
        ("history",),
        ("show", "support"),
        ("state", "lock"),
        ("route", "--from", "support@contoso.example", "--as", "ada@contoso.example"),
    ):
        done = granted(*command)
        assert done.status == 0, done.said


@pytest.mark.parametrize(
    "command", [("apply", *SKIP), ("state", "unlock", "0123456789abcdef", "--yes")]
)
def test_the_reader_writes_nothing_whatever_it_calls_itself(
    command: tuple[str, ...], granted: Home, server: Postgresql
) -> None:
    granted.environ["RECONCILER_STATE"] = server.url_of("mail_reader")
    granted.edit("info.yaml", "General enquiries", "Help desk")
    done = granted(*command)
    assert done.status == 1
    assert "does not let this user do that: permission denied" in done.err
    assert "grant the user rights" in done.err
    assert "General enquiries" in granted("show", "info").out


def test_the_reader_plans_before_the_first_apply(home: Home, server: Postgresql) -> None:
    server.execute(*blocks()[0])
    done = home("plan", "--state", server.url_of("mail_reader"))
    assert done.status == 0, done.said
    assert "19 to add" in done.out


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reconciler.revisions SET actor = 'somebody else'",
        "DELETE FROM reconciler.history",
        "TRUNCATE reconciler.history",
        "DROP TABLE reconciler.history",
        "UPDATE reconciler.alembic_version SET version_num = '9999'",
        "CREATE TABLE reconciler.mine (id int)",
    ],
)
def test_the_writer_cannot_rewrite_the_history(
    statement: str, granted: Home, server: Postgresql
) -> None:
    import psycopg

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.execute(statement, url=server.url_of("mail_writer"))


def test_a_user_without_the_right_to_create_the_schema_learns_who_has_it(
    home: Home, server: Postgresql
) -> None:
    server.execute("CREATE ROLE mail_writer LOGIN")
    home.environ["RECONCILER_STATE"] = server.url_of("mail_writer")
    assert home("plan").status == 0
    done = home("apply", *SKIP)
    assert done.status == 1
    assert "does not let this user do that: permission denied for database postgres" in done.err
    assert "CREATE SCHEMA reconciler AUTHORIZATION" in done.err
    assert not server.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'reconciler'")
