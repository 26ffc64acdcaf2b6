"""Files that are put in place together, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.app.export_yaml import _put_in_place

if TYPE_CHECKING:
    from pathlib import Path


def test_a_failure_removes_every_folder_that_was_made_and_no_other(tmp_path: Path) -> None:
    draft, folder = tmp_path / "draft", tmp_path / "connectors.d"
    (draft / "shops" / "north").mkdir(parents=True)
    (draft / "shops" / "north" / "one.yaml").write_text("kind: Group\n", encoding="utf-8")
    (folder / "empty").mkdir(parents=True)
    with pytest.raises(FileNotFoundError):
        _put_in_place(draft, folder, ("shops/north/one.yaml", "shops/south/lost.yaml"))
    assert [path.name for path in folder.rglob("*")] == ["empty"]


def test_a_new_folder_goes_too(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    with pytest.raises(FileNotFoundError):
        _put_in_place(tmp_path / "draft", folder, ("shops/north/lost.yaml",))
    assert not folder.exists()
