"""A state that cannot be used: a message, exit code 1, and never a traceback."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Done, Home

OLDER: Final = Path(__file__).parents[2] / "contract" / "states" / "0001.db"
COMMANDS = (
    ("status",),
    ("show", "support"),
    ("history",),
    ("plan",),
    ("state", "lock"),
    ("route", "--from", "support@contoso.example", "--as", "ada@contoso.example"),
    ("apply", "--auto-approve", "--skip-tests", "no servers here"),
)
READING = COMMANDS[:-1]


@pytest.fixture
def applied(home: Home) -> Home:
    """The example, applied, with nothing of SQLite's left beside the state."""
    home.apply_untested()
    with closing(sqlite3.connect(home.state)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in home.state.parent.glob("state.db-*"):
        path.unlink()
    return home


def fails(done: Done, sentence: str) -> None:
    assert done.status == 1, done.said
    assert sentence in done.err, done.said
    assert done.err.startswith("Error: ") or "\nError: " in done.err
    assert "Traceback" not in done.said


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_garbage_is_not_a_state(command: tuple[str, ...], applied: Home) -> None:
    applied.state.write_bytes(b"this is no database" * 100)
    fails(applied(*command), "it is not a SQLite database")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_state_of_a_newer_release_is_left_alone(command: tuple[str, ...], applied: Home) -> None:
    with closing(sqlite3.connect(applied.state)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    fails(applied(*command), "newer")


def test_a_truncated_state_is_damaged(applied: Home) -> None:
    data = applied.state.read_bytes()
    applied.state.write_bytes(data[: len(data) // 2])
    for command in COMMANDS:
        done = applied(*command)
        assert done.status == 1, done.said
        assert "state.db is damaged" in done.err
        assert "Traceback" not in done.said


def test_another_database_is_not_a_state(applied: Home) -> None:
    applied.state.unlink()
    with closing(sqlite3.connect(applied.state)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    for command in COMMANDS:
        assert applied(*command).status == 1
    with closing(sqlite3.connect(applied.state)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("customers",)]


def test_a_folder_is_not_a_state(applied: Home) -> None:
    applied.state.unlink()
    applied.state.mkdir()
    for command in COMMANDS:
        assert applied(*command).status == 1


def test_a_full_disk_leaves_the_old_revision(applied: Home) -> None:
    applied.edit("support.yaml", "Support mailbox ", "Help desk ")
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from reconciler.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, *COMMANDS[-1]],
        cwd=applied.folder,
        env=applied.untraced,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "cannot be" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Support mailbox" in applied("show", "support").out
    applied.apply_untested()


@pytest.mark.parametrize(
    "url", ["mysql://root:geheim@db/x", "sqlite:///", "sqlite://", "nonsense://geheim"]
)
def test_an_invalid_state_url_is_rejected(url: str, home: Home) -> None:
    done = home("status", "--state", url)
    assert done.status == 64, done.said
    assert "Error: the state URL" in done.err
    assert "geheim" not in done.said


def test_reading_creates_no_state(home: Home) -> None:
    for command in READING:
        home(*command)
    assert not home.state.parent.exists()


def test_a_state_of_an_older_release_is_read_once_it_is_migrated(applied: Home) -> None:
    shutil.copyfile(OLDER, applied.state)  # keeps the mode
    for command in READING:
        fails(applied(*command), "was written by an older release")
        assert "reconciler state migrate" in applied(*command).err
    done = applied("state", "migrate")
    assert done.status == 0, done.said
    assert "Migrated the state, at serial 3" in done.out
    assert list(applied.state.parent.glob("state.db.*"))
    for command in (("status",), ("history",), ("plan",), ("state", "migrate")):
        assert applied(*command).status == 0


@pytest.mark.parametrize(
    "command",
    [
        ("apply", "--auto-approve", "--skip-tests", "no servers", "--allow-deletes", "99",
         "--allow-policy-change", "--actor", "ada@contoso.example"),
        ("send", "--dry-run", "--connector", "support", "--to", "x@y.example", "--subject", "s",
         "--text", "b", "--as", "ada@contoso.example"),
        ("log", "--prune", "1d", "--yes", "--as", "ada@contoso.example"),
    ],
)  # fmt: skip
def test_writing_to_a_state_of_an_older_release_migrates_it_first(
    command: tuple[str, ...], applied: Home
) -> None:
    shutil.copyfile(OLDER, applied.state)  # keeps the mode
    done = applied(*command)
    assert done.status == 0, done.said
    assert applied("status").status == 0
    assert list(applied.state.parent.glob("state.db.*.bak"))


def test_without_an_apply_nothing_is_migrated(home: Home) -> None:
    assert "Nothing was applied yet" in home("state", "migrate").out
    assert not home.state.exists()
