"""The hooks for pre-commit, run as it runs them: the files that match, and the entry with them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from tests.functional.conftest import Done, Home

FILE: Final = Path(__file__).parents[3] / ".pre-commit-hooks.yaml"
HOOKS: Final[dict[str, dict[str, Any]]] = {
    item["id"]: item for item in YAML(typ="safe").load(FILE.read_text("utf-8"))
}


def hooked(home: Home, name: str) -> Done | None:
    """Run a hook on every file of a folder; None if no file matches, so that it is skipped."""
    hook = HOOKS[name]
    files = sorted(path.relative_to(home.folder).as_posix()
                   for path in home.folder.rglob("*") if path.is_file())  # fmt: skip
    chosen = [file for file in files if re.search(hook["files"], file)]
    program, *arguments = shlex.split(hook["entry"])
    assert program == "reconciler"
    return home(*arguments, *(chosen if hook.get("pass_filenames", True) else ())) if chosen else None  # fmt: skip


def test_both_hooks_exist_with_everything_that_pre_commit_needs() -> None:
    assert set(HOOKS) == {"reconciler-fmt", "reconciler-validate"}
    for hook in HOOKS.values():
        assert {"id", "name", "description", "entry", "language", "files"} <= hook.keys()
        assert hook["language"] == "python"


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_passes_on_the_example_and_looks_at_none_of_other_files(
    home: Home, name: str
) -> None:
    home.write("../compose.yaml", "services:   {}\n")
    home.write("../reconciler.yaml", "limits: {max_delete_percent: 10}\n")
    done = hooked(home, name)
    assert done is not None
    assert done.status == 0, done.said
    assert (home.folder / "compose.yaml").read_text() == "services:   {}\n"
    for path in home.folder.rglob("*.yaml"):
        if path.name != "compose.yaml":
            path.unlink()
    assert hooked(home, name) is None


def test_the_hook_that_formats_changes_the_file_by_which_pre_commit_fails_it(home: Home) -> None:
    path = home.write("team/all.yaml", "kind:   Group\nname: all\n")
    done = hooked(home, "reconciler-fmt")
    assert done is not None
    assert (done.status, path.read_text()) == (0, "kind: Group\nname: all\n")


def test_the_hook_that_validates_fails_for_a_file_that_was_not_changed(home: Home) -> None:
    home.remove("groups.yaml")
    done = hooked(home, "reconciler-validate")
    assert done is not None
    assert done.status == 3
    assert "name/unknown-group" in done.said
