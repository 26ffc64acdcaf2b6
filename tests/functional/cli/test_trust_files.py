"""What links and folders of a repository cannot do: docs/security.md names these tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from tests.functional.conftest import Home

UNTIDY = "kind: Group\nname:   team\nmembers:\n      users: [a@contoso.example]\n"
SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def outside(home: Home) -> Path:
    """A folder beside the project, with a file that fmt would change."""
    folder = home.folder.parent / "outside"
    folder.mkdir()
    (folder / "other.yaml").write_text(UNTIDY)
    return folder


@pytest.mark.parametrize(
    "leads", ["folder", "file", "root", "relative", "chain", "within a folder"]
)
def test_a_link_that_leads_out_is_an_error_and_not_followed(
    leads: str, home: Home, outside: Path
) -> None:
    name = "link.yaml" if leads == "file" else "link"
    targets: dict[str, Path | str] = {
        "folder": outside,
        "file": outside / "other.yaml",
        "root": "/",
        "relative": "../../outside",
        "chain": home.config / "second",
        "within a folder": outside,
    }
    place = home.config
    if leads == "within a folder":
        place = home.config / "team"
        place.mkdir()
    (place / name).symlink_to(targets[leads])
    (home.config / "second").symlink_to(outside)
    for command in ("validate", "plan", "fmt"):
        done = home(command)
        assert done.status != 0, command
        assert "file/link-outside" in done.said
        assert name in done.said
    assert (outside / "other.yaml").read_text() == UNTIDY


def test_links_within_the_folder_are_fine(home: Home) -> None:
    (home.config / "..data").mkdir()
    (home.config / "info.yaml").rename(home.config / "..data" / "info.yaml")
    (home.config / "info.yaml").symlink_to("..data/info.yaml")
    assert home("validate").status == 0


def test_fmt_leaves_files_of_others_alone(home: Home, outside: Path) -> None:
    foreign = "services:\n      web: {image:   nginx}\n"
    (outside / "other.yaml").write_text(foreign)
    (outside / "compose.yaml").write_text(foreign)
    done = home("fmt", str(outside))
    assert done.status == 64
    assert "contains no reconciler document" in done.err
    home.write("compose.yaml", foreign)
    home("fmt")
    assert (home.config / "compose.yaml").read_text() == foreign
    assert home("fmt", "connectors.d/compose.yaml").status == 64


def test_fmt_writes_nothing_before_it_has_read_everything(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.app import fmt
    from reconciler.config import files

    home.write("aaa.yaml", UNTIDY)
    home.write("zzz.yaml", UNTIDY)
    read = files.read_bytes

    def stop_at_the_last(path: Path) -> object:
        if path.name == "zzz.yaml":
            raise KeyboardInterrupt
        return read(path)

    monkeypatch.setattr(fmt, "read_bytes", stop_at_the_last)
    assert home("fmt").status == 130
    assert (home.config / "aaa.yaml").read_text() == UNTIDY


WRITES = (
    ("plan", "--out", "{}"),
    ("plan", "--report", "markdown={}"),
    ("validate", "--report", "sarif={}"),
    ("fmt", "--check", "--report", "gitlab={}"),
    ("apply", "--auto-approve", "--skip-tests", "no servers", "--report", "json={}"),
    ("drift", "--no-record", "--report", "json={}"),
    ("status", "--report", "json={}"),
    ("test", "--no-record", "--report", "junit={}"),
    ("test", "merge", "shard.json", "--report", "junit={}"),
    ("doctor", "support", "--report", "json={}"),
    ("state", "export", "--out", "{}"),
    ("import", "--out", "{}"),
    ("rollback", "1", "--out", "{}"),
    ("schema", "--out", "{}"),
    ("init", "-c", "{}"),
    ("init", "ada@gmail.com", "-c", "{}"),
    ("sandbox", "--folder", "{}", "--", "true"),
)
"""Every option that names something to write."""


def test_every_option_that_names_something_to_write_is_tried() -> None:
    from tests.test_docs import COMMANDS

    tried = {(" ".join(word for word in line if word.isalpha() and word.islower()), option)
             for line in WRITES for option in line if option.startswith("-")}  # fmt: skip
    for name, command in COMMANDS.items():
        for option in (item for parameter in command.params for item in parameter.opts):
            if option in {"--out", "--report", "--write", "--folder"}:
                assert any(line.startswith(name) and option == other for line, other in tried), name


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["file", "parent", "back from a link", "link to another checkout"])
@pytest.mark.parametrize("command", WRITES, ids=" ".join)
def test_nothing_is_written_through_a_link_that_leads_out(
    command: tuple[str, ...], how: str, home: Home, outside: Path
) -> None:
    home.apply_untested()
    (home.folder / "shard.json").write_text(home("test", "--shard", "1/1", "--format", "json").out)
    victim = outside / "victim"
    if how == "file":
        (home.folder / "link").symlink_to(victim)
        path = "link"
    elif how == "back from a link":
        (outside / "deep").mkdir()
        (home.folder / "link").symlink_to(outside / "deep")
        path = "link/../victim"
    else:
        (home.folder / "link").symlink_to(outside)
        path = "link/victim"
    if how == "link to another checkout":
        (outside / ".git").mkdir()
    before = sorted(item.name for item in outside.rglob("*"))
    if command[0] == "init":
        path = f"{path}/connectors.d"
    done = home(*(word.format(path) for word in command))
    assert done.status != 0
    assert "is a link, so" in done.err or "through the link link, so" in done.err
    assert sorted(item.name for item in outside.rglob("*")) == before


@pytest.mark.parametrize("command", WRITES, ids=" ".join)
def test_links_are_judged_by_their_own_place_not_by_the_working_folder(
    command: tuple[str, ...], home: Home, outside: Path
) -> None:
    home.apply_untested()
    (home.folder / "linked-folder").symlink_to(outside)
    below = home.folder / "below"
    below.mkdir()
    (below / "shard.json").write_text(home("test", "--shard", "1/1", "--format", "json").out)
    words = [word.format("../linked-folder/x/connectors.d" if command[0] == "init" else "../linked-folder/x")
             for word in command]  # fmt: skip
    if command[0] not in {"init", "schema"} and command[:2] != ("test", "merge"):
        at = 2 if command[0] == "state" else 1
        words[at:at] = ["-c", "../connectors.d"]
    done = home.run_in(below, *words)
    assert done.status != 0
    assert "leads out of" in done.err, done.said
    assert "through the link linked-folder" in done.err
    assert [item.name for item in outside.iterdir()] == ["other.yaml"]


def test_a_report_that_cannot_be_written_stops_the_command_before_it_begins(
    home: Home, outside: Path
) -> None:
    (home.folder / "link").symlink_to(outside)
    done = home("apply", "--auto-approve", "--skip-tests", "no servers", "--report", "json=link/x")
    assert done.status == 1
    assert not home.state.exists()


def test_links_within_the_repository_are_written_through(home: Home) -> None:
    home.apply_untested()
    (home.folder / ".git").mkdir()
    (home.folder / "real").mkdir()
    below = home.folder / "below"
    below.mkdir()
    (below / "link").symlink_to("../real")
    assert home.run_in(below, "plan", "--out", "link/plan.json").status == 0
    assert (home.folder / "real" / "plan.json").exists()


def test_no_link_is_written_over_what_it_leads_to_wherever_it_lies(home: Home) -> None:
    home.apply_untested()
    victim = home.folder / "victim"
    victim.write_text("as it was")
    (home.folder / "link").symlink_to("victim")
    for option in (("--out", "link"), ("--report", "markdown=link"),
                   ("--out", str(home.folder / "link"))):  # fmt: skip
        assert home("plan", *option).status == 1
    assert victim.read_text() == "as it was"
    assert home("plan", "--out", "/dev/stdout").status == 0


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="there is no shared memory")
def test_shared_memory_has_files_like_any_folder(home: Home) -> None:
    """Although it is below /dev, where a link leads to a stream."""
    with TemporaryDirectory(dir=SHARED_MEMORY) as name:
        folder = shutil.copytree(home.folder, Path(name) / "home")
        victim = folder / "victim"
        victim.write_text("as it was")
        (folder / "link").symlink_to("victim")
        assert home.run_in(folder, "validate", "--report", "junit=link").status == 1
        assert victim.read_text() == "as it was"
        same = ("--report", "junit=report", "--report", "sarif=report")
        assert home.run_in(folder, "validate", *same).status == ExitCode.USAGE


def test_a_path_elsewhere_is_the_users(home: Home, outside: Path) -> None:
    home.apply_untested()
    assert home("plan", "--out", str(outside / "plan.json")).status == 0
    assert (outside / "plan.json").exists()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_of_the_state_that_others_may_change_is_refused(mode: int, home: Home) -> None:
    home.apply_untested()
    (home.folder / ".reconciler").chmod(mode)
    for command in (("plan",), ("status",), ("apply", "--auto-approve")):
        done = home(*command)
        assert done.status == 1
        assert "can be changed by other users" in done.err
        assert "chmod go-w" in done.err
    (home.folder / ".reconciler").chmod(0o750)
    assert home("plan").status == 0


def test_a_folder_of_the_state_that_is_a_link_is_refused(home: Home, outside: Path) -> None:
    home.apply_untested()
    (home.folder / ".reconciler").rename(outside / ".reconciler")
    (home.folder / ".reconciler").symlink_to(outside / ".reconciler")
    done = home("plan")
    assert done.status == 1
    assert "is a link" in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_the_state_of_another_user_is_refused(home: Home) -> None:
    home.apply_untested()
    os.chown(home.folder / ".reconciler", 12345, 12345)
    assert "can be changed by other users" in home("plan").err


@pytest.mark.parametrize(
    ("name", "mode", "refused"),
    [
        ("fingerprint.key", 0o644, True),
        ("fingerprint.key", 0o640, True),
        ("fingerprint.key", 0o620, True),
        ("fingerprint.key", 0o400, False),
        ("state.db", 0o644, True),
        ("state.db", 0o664, True),
        ("state.db", 0o660, True),
        ("state.db", 0o640, False),
    ],
)
def test_a_key_and_a_state_that_others_may_open_are_refused(
    name: str, mode: int, refused: bool, home: Home
) -> None:
    home.apply_untested()
    (home.folder / ".reconciler" / name).chmod(mode)
    done = home("plan", "--check-secrets")
    assert (done.status == 1) is refused, done.said
    if refused:
        assert f"{name} is open to other users (mode {mode:04o})" in done.err
        assert f"chmod 0{mode & ~(0o077 if name.endswith('key') else 0o027):03o} " in done.err
        assert home("apply", "--auto-approve", "--skip-tests", "no servers").status == 1


@pytest.mark.parametrize("name", ["fingerprint.key", "state.db", "state.db-wal", "state.db-shm"])
def test_a_link_in_the_folder_of_the_state_is_refused(name: str, home: Home, outside: Path) -> None:
    home.apply_untested()
    file = home.folder / ".reconciler" / name
    if file.exists():
        file.rename(outside / name)
    file.symlink_to(outside / name)
    done = home("plan", "--check-secrets")
    assert done.status == 1
    assert f"{name} is a link" in done.err
    assert home("apply", "--auto-approve", "--skip-tests", "no servers").status == 1


def test_a_state_that_git_brings_along_is_refused(home: Home) -> None:
    import subprocess

    home.apply_untested()
    (home.folder / ".reconciler" / ".gitignore").unlink()
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "a state")):
        subprocess.run([*git, *words], cwd=home.folder, check=True)
    for umask in (0o022, 0o002):
        clone = home.folder.parent / f"clone-{umask:03o}"
        subprocess.run([*git, "clone", "-q", str(home.folder), str(clone)], check=True, umask=umask)
        done = home.run_in(clone, "plan")
        assert done.status == 1
        assert "state.db is open to other users" in done.err or "can be changed by" in done.err


def test_a_link_that_poses_as_the_ignore_file_is_not_written_through(
    home: Home, outside: Path
) -> None:
    (home.folder / ".reconciler").mkdir(mode=0o700)
    (home.folder / ".reconciler" / ".gitignore").symlink_to(outside / "made")
    home.apply_untested()
    assert not (outside / "made").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["fingerprint.key", "state.db"])
def test_a_key_and_a_state_of_another_user_are_refused(name: str, home: Home) -> None:
    home.apply_untested()
    os.chown(home.folder / ".reconciler" / name, 12345, 12345)
    assert "belongs to another user" in home("plan", "--check-secrets").err


def test_another_state_beside_an_empty_one_is_named_with_the_way_to_move_it(home: Home) -> None:
    home.apply_untested()
    other = f"sqlite:///{home.folder.parent}/elsewhere/state.db"
    told = f"nother state lies in {home.state}; "
    done = home("plan", "--state", other)
    assert done.status == 0
    assert f"Note: a{told}" in done.err
    done = home("apply", "--auto-approve", "--state", other, CI="true")
    assert done.status == 5
    assert f"  A{told}" in done.err
    # The advice works exactly as printed.
    assert f"--state {home.state}" in done.err
    assert home("state", "export", "--state", str(home.state), "--out", "state.json").status == 0
    assert home("state", "import", "state.json", "--state", other).status == 0
    assert "lies in" not in home("plan", "--state", other).err


@pytest.mark.parametrize("renamed", ["state.db.schema-0001.bak", "old.db"])
def test_a_state_under_another_name_in_the_folder_is_named(renamed: str, home: Home) -> None:
    home.apply_untested()
    home.state.rename(home.state.with_name(renamed))
    done = home("plan")
    assert done.status == 0
    assert str(home.state.with_name(renamed)) in done.err
    assert ("cp " in done.err) is renamed.endswith(".bak")


def test_a_key_whose_state_is_gone_is_named(home: Home) -> None:
    home.apply_untested()
    home.state.unlink()
    for environ in ({}, {"CI": "true"}):
        done = home("plan", **environ)
        assert "fingerprint.key is the key of a state that is not there" in done.err
        assert "restore state.db from a backup" in done.err


def test_a_new_project_or_a_refused_apply_gives_no_hint_of_another_state(home: Home) -> None:
    for _ in range(2):
        assert "Note:" not in home("plan").err
        assert home("apply", "--auto-approve", CI="true").status == 5
        (home.folder / ".reconciler" / "notes.txt").write_text("not a state")
