"""Disks that are full and files that may not be read or written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.model.directory import Group
from reconciler.plan.changes import Create
from reconciler.state.base import Commit
from reconciler.state.sql.store import open_store

if TYPE_CHECKING:
    import subprocess

Start = Callable[..., "subprocess.Popen[str]"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights and limits")
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user"
)


def fill(url: str) -> None:
    store = open_store(url)
    new = Commit("", 0, (Create(Group(name="team")),), datetime(2026, 3, 1, tzinfo=UTC), "alice",
                 "os", "", "1", "sha256:00")  # fmt: skip
    with store.lock(holder="alice", operation="apply") as lock:
        store.commit(new, token=lock.lease.token)


def said(process: subprocess.Popen[str]) -> list[str]:
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    return output.splitlines()


def test_a_file_that_may_not_grow_keeps_its_revision(start: Start, url: str) -> None:
    fill(url)
    before = open_store(url).load()
    (line,) = said(start("limited", url))
    assert line.startswith("StateUnavailable: ")
    assert "state.db cannot be " in line
    after = open_store(url)
    assert after.load() == before
    assert [item.serial for item in after.revisions()] == [1]


def test_a_full_disk_keeps_its_revision(start: Start, small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/state.db"
    fill(url)
    before = open_store(url).load()
    (line,) = said(start("filled", url))
    assert line.startswith("StateUnavailable: ")
    assert f"the disk at {small_disk} is full" in line
    assert open_store(url).load() == before
    (small_disk / "ballast").write_bytes(b"")
    with open_store(url).lock(holder="alice", operation="apply"):
        pass


def test_a_disk_too_full_to_create_a_state_says_so(start: Start, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    (line,) = said(start("filled", f"sqlite:///{small_disk}/state.db"))
    assert line.startswith("StateUnavailable: ")
    assert [item.name for item in small_disk.iterdir()] == ["ballast"]


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that every user may enter and read, but only its owner may write to."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder


@as_root
def test_a_state_that_this_user_may_not_read_is_unavailable(
    start: Start, open_folder: Path
) -> None:
    url = f"sqlite:///{open_folder}/state.db"
    fill(url)
    lines = said(start("stranger", url))
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("StateUnavailable: ")
        assert "cannot be read: Permission denied" in line


@as_root
def test_a_state_that_this_user_may_only_read_can_be_read(start: Start, open_folder: Path) -> None:
    path = open_folder / "state.db"
    fill(f"sqlite:///{path}")
    path.chmod(0o644)
    read, locked = said(start("stranger", f"sqlite:///{path}"))
    assert read == "read 1"
    assert locked.startswith("StateUnavailable: ")
    assert "cannot be written: Permission denied" in locked
    assert sorted(item.name for item in open_folder.iterdir()) == ["state.db"]


@as_root
def test_a_folder_that_this_user_may_not_write_to_gets_no_state(
    start: Start, open_folder: Path
) -> None:
    read, locked = said(start("stranger", f"sqlite:///{open_folder}/state.db"))
    assert read == "read 0"
    assert locked.startswith("StateUnavailable: ")
    assert "cannot be created: Permission denied" in locked
    assert "Give this user the right" in locked
