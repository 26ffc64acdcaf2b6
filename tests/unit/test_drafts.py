"""A later process removes the drafts that a killed one left, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler import drafts
from reconciler.app.atomic_file import write_wholly
from reconciler.debts import take_owed
from reconciler.drafts import draft_of
from reconciler.state.folder import draft

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600


@pytest.fixture(autouse=True)
def unsearched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "_searched", set())


def left(folder: Path, name: str, *, age: float) -> Path:
    path = folder / name
    path.write_text("half", "ascii")
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path


def test_an_abandoned_draft_is_removed_by_the_next_writer(tmp_path: Path) -> None:
    left(tmp_path, ".state.db.draft-0123abcd", age=2 * HOUR)
    left(tmp_path, ".state.db.draft-0123abcd-wal", age=2 * HOUR)
    folder = tmp_path / ".imported.draft-0123abcd"
    folder.mkdir()
    left(folder, "info.yaml", age=2 * HOUR)
    os.utime(folder, (0, 0))
    write_wholly(tmp_path / "report.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_draft_that_may_be_in_use_and_files_of_others_stay(tmp_path: Path) -> None:
    kept = {
        left(tmp_path, ".report.json.draft-0123abcd", age=HOUR / 2).name,
        left(tmp_path, ".report.json.12345678", age=9 * HOUR).name,
        left(tmp_path, "report.json.draft-0123abcd", age=9 * HOUR).name,
        left(tmp_path, ".report.json.draft-backup", age=9 * HOUR).name,
    }
    (tmp_path / ".link.draft-0123abcd").symlink_to(tmp_path)
    with draft(tmp_path / "state.db"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {*kept, ".link.draft-0123abcd"}


def test_a_draft_goes_with_what_sqlite_puts_beside_it(tmp_path: Path) -> None:
    with draft(tmp_path / "state.db") as path:
        assert path.stat().st_mode & 0o777 == 0o600
        path.with_name(f"{path.name}-wal").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_draft_whose_block_never_ends_is_left_to_the_end_of_the_command(tmp_path: Path) -> None:
    take_owed()
    block = draft_of(tmp_path / "report.json")
    block.__enter__().touch()
    (step,) = take_owed()
    step()
    assert list(tmp_path.iterdir()) == []
