"""Files that are proved to mean what is stored, and put in place together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.app import export_yaml
from reconciler.app.export_yaml import ExportedFiles, _own_files, _put_in_place, _write
from reconciler.app.project_folder import find_project
from reconciler.app.workspace import Workspace, open_workspace
from reconciler.config.load import load
from reconciler.errors import ReconcilerError
from reconciler.model.permissions import Principals
from reconciler.model.snapshot import StoredState
from reconciler.plan.changes import ChangeCounts
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.model.snapshot import Snapshot

GROUP = "kind: Group\nname: {name}\nmembers: {{users: [{name}@contoso.example]}}\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    folder = tmp_path / "connectors.d"
    (folder / "more").mkdir(parents=True)
    (folder / "one.yaml").write_text(GROUP.format(name="one"), encoding="utf-8-sig")
    (folder / "more" / "two.yaml").write_text(GROUP.format(name="two"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return open_workspace(find_project({}), {})


def written(workspace: Workspace, folder: Path, snapshot: Snapshot) -> ExportedFiles:
    own = _own_files(workspace)
    return _write(workspace, folder, snapshot, StoredState(), own, origin="Written by a test.")


def test_files_that_stay_as_they_are_are_not_loaded_twice(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = workspace.load().snapshot
    assert snapshot is not None
    monkeypatch.setattr(export_yaml, "load", None)
    out = tmp_path / "out"
    done = written(workspace, out, snapshot)
    assert done.kept == (out / "more" / "two.yaml", out / "one.yaml")
    assert not done.files
    assert not done.warnings
    assert done.counts == ChangeCounts(added=2)
    own = workspace.project.roots[0]
    for name in ("one.yaml", "more/two.yaml"):
        assert (out / name).read_bytes() == (own / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("one.yaml", GROUP.format(name="other")),
        ("more/two.yaml", ""),
        ("three.yaml", GROUP.format(name="three")),
        ("three.yaml/in-a-folder.yaml", GROUP.format(name="three")),
    ],
)
def test_the_verified_files_are_those_on_disk(
    name: str,
    text: str,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snapshot = workspace.load().snapshot
    assert snapshot is not None
    write_all = export_yaml._write_all

    def and_somebody_else(folder: Path, data: Mapping[str, bytes]) -> None:
        write_all(folder, data)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    monkeypatch.setattr(export_yaml, "_write_all", and_somebody_else)
    with pytest.raises(ReconcilerError):
        written(workspace, tmp_path / "out", snapshot)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["one.yaml", "more/two.yaml"])
def test_so_are_those_of_which_one_was_changed(
    name: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = workspace.load().snapshot
    assert snapshot is not None
    first, *others = snapshot.groups
    target = replace(snapshot, groups=(replace(first, members=Principals()), *others))
    write_all = export_yaml._write_all

    def and_somebody_else(folder: Path, data: Mapping[str, bytes]) -> None:
        write_all(folder, data)
        (folder / name).write_text(GROUP.format(name="one"), encoding="utf-8")

    assert written(workspace, tmp_path / "first", target).counts == ChangeCounts(added=2)
    monkeypatch.setattr(export_yaml, "_write_all", and_somebody_else)
    with pytest.raises(ReconcilerError):
        written(workspace, tmp_path / "out", target)
    assert not (tmp_path / "out").exists()


def test_the_warnings_of_files_that_stay_name_the_new_ones(
    workspace: Workspace, tmp_path: Path
) -> None:
    own = workspace.project.roots[0]
    (own / "empty.yaml").write_text("# nothing yet\n", encoding="utf-8")
    snapshot = workspace.load().snapshot
    assert snapshot is not None
    out = tmp_path / "out"
    done = written(workspace, out, snapshot)
    assert [(item.rule, item.file) for item in done.warnings] == [
        ("file/empty", (out / "empty.yaml").as_posix())
    ]
    assert done.warnings == load(out).diagnostics


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
