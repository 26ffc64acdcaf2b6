"""``import`` and ``rollback`` write configurations that mean what they were written from."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

INVALID = 3


def test_an_import_is_valid_and_its_plan_is_empty(shared: Home) -> None:
    shared.apply_untested()
    done = shared("import", "--out", "fresh")
    assert done.status == 0, done.said
    assert "No changes." in done.out
    names = sorted(path.name for path in (shared.folder / "fresh").iterdir())
    assert names == sorted(line.split("/")[1] for line in done.out.splitlines() if "Wrote" in line)
    assert {"support.yaml", "groups.yaml", "roles.yaml", "policy.yaml"} <= set(names)
    assert shared("validate", "--config", "fresh").status == 0
    planned = shared("plan", "--config", "fresh", "--detailed-exitcode")
    assert planned.status == 0, planned.said
    support = (shared.folder / "fresh" / "support.yaml").read_text("utf-8")
    assert "env:SUPPORT_CLIENT_SECRET" in support
    assert "outlook.office365.com" not in support, "the provider fills it in"


def test_an_import_goes_into_the_folder_of_the_configuration(home: Home) -> None:
    home.apply_untested()
    for path in home.config.iterdir():
        path.unlink()
    assert home("import").status == 0
    assert home("plan", "--detailed-exitcode").status == 0


def test_no_file_is_overwritten(home: Home) -> None:
    home.apply_untested()
    before = {path.name: path.read_bytes() for path in home.config.iterdir()}
    for command in (("import",), ("rollback", "1", "--out", "connectors.d")):
        done = home(*command)
        assert done.status == 1
        assert (
            "connectors.d already contains a configuration: applications.yaml, groups.yaml"
            in done.err
        )
    assert {path.name: path.read_bytes() for path in home.config.iterdir()} == before
    assert sorted(path.name for path in home.folder.iterdir()) == [".reconciler", "connectors.d"]


def test_nothing_is_written_of_what_the_settings_refuse(home: Home) -> None:
    home.apply_untested()
    (home.folder / "reconciler.yaml").write_text("allowed_hosts: [other.example]\n", "utf-8")
    done = home("import", "--out", "fresh")
    assert done.status == INVALID
    assert "fresh/support.yaml" in done.err
    assert not (home.folder / "fresh").exists()


@pytest.mark.parametrize("command", [("import",), ("rollback", "1", "--out", "back")])
def test_where_nothing_is_stored_nothing_is_written(command: tuple[str, ...], bare: Home) -> None:
    done = bare(*command)
    assert done.status == 1
    assert "there is n" in done.err
    assert list(bare.config.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(home: Home) -> None:
    home.apply_untested()
    (home.folder / "file").write_text("", "utf-8")
    for folder in ("file", "file/within"):
        done = home("import", "--out", folder)
        assert done.status == 1
        assert "Name another" in done.err


def put_in_place(home: Home, folder: str) -> None:
    """Put files that were written in the place of those of the project."""
    shutil.rmtree(home.config)
    (home.folder / folder).rename(home.config)


def test_a_rollback_writes_what_was_and_applies_nothing(shared: Home) -> None:
    shared.apply_untested()
    before = shared("show", "support", "--format", "json").out
    shared.edit("support.yaml", "Support mailbox", '"yes 📬"')
    shared.remove("invoices.yaml")
    shared.apply_untested()
    done = shared("rollback", "1", "--out", "back")
    assert done.status == 0, done.said
    assert "Plan: 2 to add, 1 to change, 0 to destroy." in done.out
    assert "Nothing was applied." in done.out
    assert "yes 📬" in shared("show", "support").out
    assert shared("plan", "--config", "back", "--detailed-exitcode").status == 2
    put_in_place(shared, "back")
    shared.apply_untested()
    assert shared("diff", "1", "3").out.startswith("No differences")
    assert '"display_name": "Support mailbox"' in before
    assert "Support mailbox" in shared("show", "support").out


def test_going_back_behind_a_rename_keeps_the_history(shared: Home) -> None:
    shared.apply_untested()
    text = (shared.config / "support.yaml").read_text("utf-8")
    text = text.replace("\nname: support", "\nrenamed_from: support\nname: helpdesk")
    text = text.replace("connector: support", "connector: helpdesk")
    (shared.config / "support.yaml").write_text(text, "utf-8")
    shared.apply_untested()
    assert shared("rollback", "1", "--out", "back").status == 0
    assert "renamed_from: helpdesk" in (shared.folder / "back" / "support.yaml").read_text("utf-8")
    put_in_place(shared, "back")
    shared.apply_untested()
    told = shared("history", "support").out
    assert [word for word in ("rename from helpdesk", "rename from support", "create")
            if word not in told] == []  # fmt: skip


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_told(home: Home) -> None:
    home.apply_untested()
    (home.folder / "closed").mkdir(mode=0o500)
    done = home("import", "--out", "closed/fresh")
    assert done.status == 1
    assert "cannot be written: Permission denied" in done.err
