"""Disks that are full or read-only: the error names the disk and the remedy, nothing is half-written, and reading still works."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.cli.main import COMMANDS
from reconciler.state.sql.locking import DatabaseLock
from tests.functional.conftest import EXAMPLE, Done, Home, fill, mounted

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file systems")

SKIP: Final = ("--skip-tests", "no servers here")
WRITING: Final = (
    ("apply", "--auto-approve", *SKIP),
    ("plan", "--out", "plan.json"),
    ("plan", "--report", "json=report.json"),
    ("validate", "--report", "sarif=report.sarif"),
    ("drift", "--report", "json=report.json"),
    ("test", "--report", "json=report.json"),
    ("state", "export", "--out", "state.json"),
    ("state", "export", "--salvage", "--out", "state.json"),
    ("state", "import", "whole.json", "--state", "sqlite:///other/state.db"),
    ("state", "forget", "info", "--yes"),
    ("state", "adopt", "--yes"),
    ("state", "unlock", "0123", "--yes"),
    ("import", "--out", "fresh"),
    ("rollback", "1", "--out", "back"),
    ("schema", "--out", "schemas"),
    ("fmt",),
    ("rename", "no-reply", "robot"),
    ("add", "new@contoso.example", "--smtp", "mail.contoso.example:465", "--name", "new"),
    ("init", "--config", "fresh/connectors.d"),
    ("log", "--prune", "1d", "--yes"),
    ("history", "attempts", "--prune", "1d", "--yes"),
    ("sandbox", "--", "true"),
)
"""Everything that writes to the disk of the project."""

READING: Final = (
    ("validate",),
    ("plan",),
    ("status",),
    ("show", "support"),
    ("history",),
    ("history", "--verify"),
    ("diff", "0", "1"),
    ("export", "support"),
    ("log",),
    ("route", "--from", "no-reply@contoso.example", "--as", "ada@contoso.example"),
    ("explain", "kind"),
    ("settings",),
    ("schema", "connectors"),
    ("state", "lock"),
    ("state", "check"),
    ("state", "export"),
)
"""Everything that writes to standard output alone, and what a sender reads before each mail."""

OTHERWISE_TESTED: Final = {"login", "doctor", "send", "sendmail", "gateway"}
"""Commands that need a server: their writing is that of others here, or is tried with the servers."""


def all_of(folder: Path) -> dict[str, bytes]:
    """The files below a folder, but for the log of SQLite and its index, which it makes and removes as it needs."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def place_for(folder: Path) -> Home:
    """An applied example with a change to apply, a file to format and an export to import."""
    shutil.copytree(EXAMPLE, folder / "connectors.d")
    home = Home(folder)
    home.environ["TMPDIR"] = "/tmp"
    home.apply_untested()
    assert home("state", "export", "--out", "whole.json").status == 0
    home.edit("info.yaml", "General enquiries", "Help desk  ")
    home.edit("info.yaml", "kind: EmailConnector", "kind:    EmailConnector")
    return home


def is_told(done: Done, *sentences: str) -> None:
    assert done.status in (1, 2, 4, 9), (
        done.said
    )  # what is asked of servers that are not there fails, too
    for sentence in sentences:
        assert sentence in " ".join(done.err.split()), done.said
    assert "Traceback" not in done.said


def test_every_command_is_tried() -> None:
    tried = {words[0] for words in (*WRITING, *READING)}
    assert set(COMMANDS) == tried | OTHERWISE_TESTED


@pytest.fixture
def full(small_disk: Path) -> tuple[Home, Path]:
    """A project on a disk without a free octet, and where that is mounted."""
    home = place_for(small_disk)
    fill(small_disk)
    return home, small_disk


def test_every_writing_command_reports_a_full_disk_and_leaves_nothing(
    full: tuple[Home, Path],
) -> None:
    home, disk = full
    before = all_of(disk)
    for command in WRITING:
        done = home(*command)
        if command[:2] != ("state", "unlock"):  # which finds nothing to write
            is_told(done, f"the disk at {disk} is full", "Free some space on that disk")
        assert all_of(disk) == before, command


def test_every_reading_command_works_with_a_full_disk(full: tuple[Home, Path]) -> None:
    home, _ = full
    home("apply", "--auto-approve", *SKIP)  # which leaves an empty log
    for command in READING:
        done = home(*command)
        assert done.status == 0, (command, done.said)
    assert "Support mailbox" in home("show", "support").out


def test_a_disk_with_room_again_needs_no_repair(full: tuple[Home, Path]) -> None:
    home, disk = full
    for command in WRITING:
        home(*command)
    (disk / "ballast").unlink()
    home.apply_untested()
    assert json.loads(home("status", "--format", "json").out)["serial"] == 2
    assert sorted(item.name for item in home.state.parent.iterdir()) == [
        ".gitignore",
        "fingerprint.key",
        "sandbox",
        "state.db",
    ]


def test_an_apply_that_a_disk_has_room_for_in_part_leaves_the_old_revision(
    small_disk: Path,
) -> None:
    home = place_for(small_disk)
    ballast = fill(small_disk)
    size = ballast.stat().st_size
    outcomes = set()
    for room in range(0, 100 * 1024, 12 * 1024):
        home.edit("info.yaml", "Help desk", f"Help desk {room}")
        with ballast.open("ab") as file:
            file.truncate(size - room)
        serial = json.loads(home("status", "--format", "json").out)["serial"]
        done = home("apply", "--auto-approve", *SKIP)
        after = json.loads(home("status", "--format", "json").out)["serial"]
        last = done.err.splitlines()[-1] if done.status else ""
        assert after == serial + (done.status == 0 or last.startswith("Revision")), done.said
        if done.status:
            is_told(done, f"the disk at {small_disk} is full")
            assert last in ("Nothing was written.", f"Revision {after} was written."), done.said
        outcomes.add(done.status)
        assert home("state", "check").status == 0
        fill(small_disk)
    assert outcomes == {0, 1}


def test_every_writing_command_reports_a_read_only_disk(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    home = place_for(folder)
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        for words in WRITING:
            if words[:2] != ("state", "unlock"):
                done = home(*words)
                is_told(done, f"the disk at {folder} is mounted read-only", "for writing")
        for command in READING:
            assert home(*command).status == 0, command


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "--out", "/dev/full"),
        ("plan", "--report", "json=/dev/full"),
        ("validate", "--report", "sarif=/dev/full"),
        ("test", "--report", "junit=/dev/full"),
    ],
)
def test_a_full_device_is_named(command: tuple[str, ...], home: Home) -> None:
    is_told(home(*command), "/dev/full", "the device is full", "Name a file instead.")


def test_an_export_never_writes_to_what_exists(home: Home) -> None:
    home.apply_untested()
    is_told(home("state", "export", "--out", "/dev/full"), "/dev/full already exists")


def run_into(home: Home, path: str, *arguments: str) -> Done:
    """Run a command whose standard output is a file."""
    with open(path, "w") as out:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", *arguments],
            cwd=home.folder, env=home.untraced, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    return Done(done.returncode, "", done.stderr)


def test_an_apply_says_that_it_wrote_though_its_output_is_full(home: Home) -> None:
    done = run_into(home, "/dev/full", "apply", "--auto-approve", *SKIP, "--format", "json")
    is_told(done, "Error: standard output cannot be written: the device is full")
    assert done.err.endswith("Revision 1 was written.\n")
    done = run_into(home, "/dev/full", "apply", "--auto-approve", *SKIP)
    is_told(done, "Error: standard output cannot be written: the device is full")
    assert done.err.endswith("Nothing was written.\n")


def test_an_apply_says_that_it_wrote_though_its_report_could_not_be(
    home: Home, small_disk: Path
) -> None:
    fill(small_disk)
    report = f"json={small_disk}/report.json"
    done = home("apply", "--auto-approve", *SKIP, "--report", report)
    is_told(done, f"{small_disk}/report.json cannot be written: the disk at {small_disk} is full")
    assert done.err.endswith("Revision 1 was written.\n")
    assert [item.name for item in small_disk.iterdir()] == ["ballast"]


def test_a_state_that_a_disk_has_no_room_for_is_not_created_in_part(small_disk: Path) -> None:
    home = place_for(small_disk)
    command = ("state", "import", "whole.json", "--state", "sqlite:///.reconciler/other.db")
    other = home.state.with_name("other.db")
    ballast = fill(small_disk)
    size, outcomes = ballast.stat().st_size, set()
    for room in range(8 * 1024, 168 * 1024, 20 * 1024):
        with ballast.open("ab") as file:
            file.truncate(size - room)
        done = home(*command)
        outcomes.add(done.status)
        if done.status:
            is_told(done, f"the disk at {small_disk} is full", "Nothing was written.")
        if other.exists():
            assert home("state", "check", "--state", "sqlite:///.reconciler/other.db").status == 0
            other.unlink()
        left = {item.name for item in home.state.parent.iterdir()}
        assert left <= {".gitignore", "fingerprint.key", "state.db", "other.db-wal", "other.db-shm"}
        fill(small_disk)
    assert 1 in outcomes


@pytest.mark.parametrize(
    "command",
    [
        ("apply", "--auto-approve", *SKIP),
        ("state", "forget", "info", "--yes"),
        ("state", "adopt", "--yes"),
    ],
)
def test_a_disk_that_fills_up_after_the_commit_does_not_hide_it(
    command: tuple[str, ...], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = place_for(small_disk)
    release = DatabaseLock._release

    def fill_first(lock: DatabaseLock, token: str) -> None:
        fill(small_disk)
        release(lock, token)

    monkeypatch.setattr(DatabaseLock, "_release", fill_first)
    done = home(*command)
    assert done.status == 0, done.said
    written = "Note: the lock" if "adopt" in command else " was written, but the lock"
    assert f"{written} was not released: " in done.err
    assert f"the disk at {small_disk} is full; it expires within a minute." in done.err


def test_a_file_system_without_locks_is_not_mistaken_for_a_state_in_use(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl
    import sqlite3
    from contextlib import closing

    from reconciler.state import sqlite_file

    home.apply_untested()
    monkeypatch.setattr(sqlite_file, "_BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(home.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        busy = home("apply", "--auto-approve", *SKIP)
        assert busy.status == 7
        assert "another process is writing to it" in busy.err

        def none(*_: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "lockf", none)  # as SQLite's own would be, which says "busy"
        done = home("apply", "--auto-approve", *SKIP)
    is_told(done, "cannot be locked: the disk at ", " grants no locks", "(NFS)")


def test_quota_and_full_disk_are_distinguished(
    home: Home, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def used_up(*_: object, **__: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    home.apply_untested()
    monkeypatch.setattr(os, "fsync", used_up)
    is_told(
        home("plan", "--out", "plan.json"),
        f"the quota on the disk at {disk} is used up",
        "quota -s",
    )
    assert not [item for item in home.folder.iterdir() if "plan" in item.name]
