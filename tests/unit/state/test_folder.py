"""Files that appear whole, in a folder of their owner's."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateUnavailable
from reconciler.state import folder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_folder_is_private_and_out_of_git(tmp_path: Path) -> None:
    new = tmp_path / "a" / "b"
    folder.prepare(new)
    assert stat.S_IMODE(new.stat().st_mode) == 0o700
    assert (new / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / "a" / ".gitignore").exists()


def test_the_folder_of_another_user_is_not_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder.prepare(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert list(tmp_path.iterdir()) == []


def test_our_folder_is_kept_out_of_git_even_if_others_made_it(tmp_path: Path) -> None:
    ours = tmp_path / ".reconciler"
    ours.mkdir()
    folder.prepare(ours)
    assert (ours / ".gitignore").read_text() == "*\n"
    (ours / ".gitignore").write_text("!state.db\n")
    folder.prepare(ours)
    assert (ours / ".gitignore").read_text() == "!state.db\n"


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with folder.draft(target) as first, folder.draft(target) as second:
        first.write_text("first")
        second.write_text("second")
        assert not target.exists()
        assert folder.publish(first, target)
        assert not folder.publish(second, target)
    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_file_system_without_links_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "file"
    with folder.draft(target) as draft, pytest.raises(StateUnavailable, match="no hard links"):
        folder.publish(draft, target)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnavailable, match="cannot be created") as caught:
        folder.prepare(tmp_path / "file" / "below")
    assert caught.value.hint
    with (
        pytest.raises(StateUnavailable, match="cannot be created"),
        folder.draft(tmp_path / "missing" / "x"),
    ):
        pass
