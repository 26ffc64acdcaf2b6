"""What links and folders of a repository cannot do: docs/security.md names these tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Home

UNTIDY = "kind: Group\nname:   team\nmembers:\n      users: [a@contoso.example]\n"


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


def test_fmt_changes_nothing_that_is_not_ours(home: Home, outside: Path) -> None:
    foreign = "services:\n      web: {image:   nginx}\n"
    (outside / "other.yaml").write_text(foreign)
    (outside / "compose.yaml").write_text(foreign)
    done = home("fmt", str(outside))
    assert done.status == 64
    assert "holds no document of reconciler" in done.err
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


@pytest.mark.parametrize("how", ["file", "parent"])
@pytest.mark.parametrize(
    "command",
    [
        ("plan", "--out", "{}"),
        ("plan", "--report", "markdown={}"),
        ("state", "export", "--out", "{}"),
        ("import", "--out", "{}"),
        ("schema", "--write", "{}"),
    ],
)
def test_nothing_is_written_through_a_link_that_leads_out(
    command: tuple[str, ...], how: str, home: Home, outside: Path
) -> None:
    home.apply_untested()
    victim = outside / "victim"
    if how == "file":
        (home.folder / "link").symlink_to(victim)
        path = "link"
    else:
        (home.folder / "link").symlink_to(outside)
        path = "link/victim"
    done = home(*(word.format(path) for word in command))
    assert done.status != 0
    assert "is a link, so" in done.err or "leads out of the working folder by a link" in done.err
    assert sorted(item.name for item in outside.iterdir()) == ["other.yaml"]


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
