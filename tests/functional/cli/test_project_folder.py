"""Where the project is: found upwards from the working folder, or named."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final
from unittest import mock

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import Done, Home

INVALID: Final = 3
USAGE: Final = 64

COMMANDS: Final = (
    ("validate",),
    ("fmt", "--check"),
    ("plan",),
    ("status",),
    ("settings",),
    ("history",),
    ("state", "lock"),
    ("show", "support"),
)
SUBFOLDERS: Final = ("connectors.d", "connectors.d/deep", "docs", "docs/deep")


def within(home: Home, folder: str, *arguments: str) -> Done:
    """Run a command in a folder below the project."""
    place = home.folder / folder
    place.mkdir(parents=True, exist_ok=True)
    moved = type(home)(place)
    moved.environ = home.environ
    return moved(*arguments)


@pytest.fixture
def someone_else() -> Iterator[tuple[int, int]]:
    """Two users, of whom the second runs the commands and owns what the first does not."""
    user = os.geteuid()
    if user == 0:
        yield 4711, 0
        return
    with mock.patch("os.geteuid", return_value=user + 1):
        yield user, user + 1


@pytest.mark.sweep
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("folder", SUBFOLDERS)
def test_a_command_finds_the_project_from_every_folder_in_it(
    home: Home, folder: str, command: tuple[str, ...]
) -> None:
    home.write("../reconciler.yaml", "state: sqlite:///elsewhere.db\n")
    home.apply_untested()
    at_home = home(*command)
    below = within(home, folder, *command)
    assert below.status == at_home.status == 0, below.said
    assert below.out == at_home.out or command == ("settings",)
    assert not list(home.folder.rglob(".reconciler"))


def test_an_apply_from_below_makes_no_second_state(home: Home) -> None:
    home.apply_untested()
    for folder, arguments in (
        ("connectors.d", ()),
        ("connectors.d", ("-c", ".")),
        ("connectors.d", ("-c", "..")),
        ("docs", ("-c", "../connectors.d")),
        (".", ("-c", "docs/../connectors.d")),
        (".", ("-c", ".")),
    ):
        done = within(home, folder, "plan", "--detailed-exitcode", *arguments)
        assert (done.status, done.out) == (0, home("plan").out), (folder, arguments, done.said)
    assert [path.parent for path in home.folder.rglob(".reconciler")] == [home.folder]


def test_the_settings_hold_however_the_folder_is_written(home: Home) -> None:
    home.write("../reconciler.yaml", "allowed_hosts: [nowhere.example]\n")
    for folder, arguments in (
        (".", ()),
        ("connectors.d", ("-c", ".")),
        ("connectors.d", ("-c", "..")),
        ("docs", ()),
        ("docs", ("-C", "..")),
    ):
        done = within(home, folder, "validate", *arguments)
        assert done.status == INVALID
        assert "[connector/host-not-allowed]" in done.out


def test_problems_are_shown_at_paths_that_lead_there(home: Home) -> None:
    home.write("deep/broken.yaml", "kind: Nothing\n")
    for folder, path in (
        (".", "connectors.d/deep/broken.yaml"),
        ("connectors.d", "deep/broken.yaml"),
        ("docs", "../connectors.d/deep/broken.yaml"),
    ):
        assert f"{path}:1:7" in within(home, folder, "validate").out


def test_a_folder_can_be_named_before_and_after_the_command(home: Home, tmp_path: Path) -> None:
    home.apply_untested()
    elsewhere = type(home)(tmp_path)
    elsewhere.environ = home.environ
    for line in (("-C", "home", "status"), ("status", "-C", "home"), ("-C", "home/docs", "status")):
        (home.folder / "docs").mkdir(exist_ok=True)
        done = elsewhere(*line)
        assert (done.status, done.out) == (0, home("status").out)
    saved = elsewhere("-C", "home", "plan", "--out", "plan.json")
    assert saved.status == 0
    assert (home.folder / "plan.json").exists(), "paths start at the folder that was named"
    missing = elsewhere("-C", "nowhere", "status")
    assert missing.status == USAGE
    assert "nowhere: No such file or directory" in missing.err


def test_elsewhere_there_is_no_project(home: Home, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    elsewhere = type(home)(empty)
    for command in (
        *COMMANDS,
        ("apply",),
        ("test",),
        ("send", "--to", "a@b.example", "--text", "c"),
    ):
        if command == ("settings",):  # it needs none
            continue
        done = elsewhere(*command)
        assert done.status == INVALID, (command, done.said)
        assert f"there is no project in {empty}" in done.err
        assert list(empty.iterdir()) == []
    done = elsewhere("status", "--config", "nowhere")
    assert done.status == INVALID
    assert "there is no project in nowhere" in done.err


def test_a_state_that_is_named_needs_no_project(home: Home, tmp_path: Path) -> None:
    home.apply_untested()
    empty = tmp_path / "empty"
    empty.mkdir()
    elsewhere = type(home)(empty)
    done = elsewhere("status", "--state", f"sqlite:///{home.state}")
    assert (done.status, done.out) == (0, home("status").out)


def test_several_folders_are_one_configuration(home: Home) -> None:
    other = home.folder / "more"
    other.mkdir()
    (home.config / "payroll.yaml").rename(other / "payroll.yaml")
    whole = home("validate", "-c", "connectors.d", "-c", "more").out
    assert whole != home("validate").out
    both = ("-c", "connectors.d", "-c", "more")
    assert "6 connectors" in whole
    assert home("validate", RECONCILER_CONFIG=f"connectors.d{os.pathsep}more").out == whole
    assert home("validate", *both, "-c", "more/../more").out == whole


def test_folders_of_two_projects_are_not_one_configuration(home: Home, tmp_path: Path) -> None:
    (tmp_path / "other" / "connectors.d").mkdir(parents=True)
    done = home("validate", "-c", "connectors.d", "-c", "../other")
    assert done.status == USAGE
    assert "different projects" in done.err


@pytest.mark.parametrize("folder", ["connectors.d", "docs", "docs/deep", "."])
def test_no_project_is_started_within_one(home: Home, folder: str) -> None:
    home.write("../reconciler.yaml", "limits: {}\n")
    before = sorted(home.folder.rglob("*"))
    done = within(home, folder, "init")
    assert done.status == USAGE
    assert str(home.folder) in done.err
    assert {path.name for path in set(home.folder.rglob("*")) - set(before)} <= {"docs", "deep"}


def test_a_link_below_the_project_leads_to_no_other(home: Home, tmp_path: Path) -> None:
    """Where a link leads out, nothing is found by it: the working folder is the real one."""
    (tmp_path / "outside").mkdir()
    (home.folder / "way").symlink_to(tmp_path / "outside")
    done = within(home, "way", "status")
    assert done.status == INVALID
    assert "there is no project" in done.err


@pytest.mark.parametrize("name", ["connectors.d", "reconciler.yaml"])
def test_a_project_that_is_found_leads_out_by_no_link(
    home: Home, tmp_path: Path, name: str
) -> None:
    home.write("../reconciler.yaml", "limits: {}\n")
    outside = tmp_path / "outside"
    (home.folder / name).rename(outside)
    (home.folder / name).symlink_to(outside)
    done = home("validate")
    assert done.status == INVALID
    assert "[file/link-outside]" in done.out
    if name == "connectors.d":
        assert home("fmt", "--check").status == INVALID
        assert home("validate", "-c", "connectors.d").status == 0, "who names a link means it"


@contextlib.contextmanager
def owned_by(user: int, *paths: Path) -> Iterator[None]:
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, user, -1, follow_symlinks=False)
    yield


def test_a_parent_folder_of_another_user_is_ignored(
    home: Home, someone_else: tuple[int, int]
) -> None:
    home.write("../reconciler.yaml", "state: sqlite:///theirs.db\n")
    (home.folder / "mine").mkdir()
    with owned_by(someone_else[0], home.folder, home.folder / "reconciler.yaml", home.config):
        for command in COMMANDS:
            done = within(home, "mine", *command)
            assert done.status == INVALID, command
            assert "belongs to another user" in done.err
            assert f"reconciler -C {home.folder}" in done.err
        assert within(home, "mine", "validate", "-C", "..").status == 0
        assert within(home, "mine", "init").status == 0, "it does not count as a project"


def test_where_everybody_may_write_only_ours_counts(
    home: Home, someone_else: tuple[int, int]
) -> None:
    """A folder such as /tmp, where any user could put a project."""
    home.folder.chmod(0o1777)
    with owned_by(someone_else[0], home.config):
        assert home("validate").status == INVALID
        assert home("-C", ".", "validate").status == 0
    home.folder.chmod(0o755)
    assert home("validate").status == 0, "a checkout may belong to another user, as in a container"
