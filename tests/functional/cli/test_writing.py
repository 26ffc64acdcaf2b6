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
    written = {path.name: path.read_bytes() for path in (shared.folder / "fresh").iterdir()}
    assert written == {path.name: path.read_bytes() for path in shared.config.iterdir()}
    assert done.out.count("which is unchanged") == len(written)
    assert shared("validate", "--config", "fresh").status == 0
    planned = shared("plan", "--config", "fresh", "--detailed-exitcode")
    assert planned.status == 0, planned.said


def test_an_import_goes_into_the_folder_of_the_configuration(home: Home) -> None:
    home.apply_untested()
    for path in home.config.iterdir():
        path.unlink()
    assert home("import").status == 0
    assert home("plan", "--detailed-exitcode").status == 0


def test_without_files_of_the_project_new_ones_are_written(home: Home) -> None:
    home.apply_untested()
    shutil.rmtree(home.config)
    done = home(
        "import",
        "-C",
        str(home.folder),
        "--state",
        "sqlite:///.reconciler/state.db",
        "--out",
        "fresh",
    )
    assert done.status == 0, done.said
    names = sorted(path.name for path in (home.folder / "fresh").iterdir())
    assert names == sorted(line.split("/")[1] for line in done.out.splitlines() if "Wrote" in line)
    assert {"support.yaml", "groups.yaml", "roles.yaml", "policy.yaml"} <= set(names)
    support = (home.folder / "fresh" / "support.yaml").read_text("utf-8")
    assert "env:SUPPORT_CLIENT_SECRET" in support
    assert "outlook.office365.com" not in support, "the provider fills it in"


def test_connectors_that_still_fit_a_table_stay_in_it(bare: Home) -> None:
    template = (
        "kind: Template\nname: shop\nparameters: {city: {}}\ndisplay_name: Shop ${city}\n"
        'imap: {server: imap.contoso.example, port: 993, use_ssl: true, username: "${name}@contoso.example",'
        " password: env:SHOP}\n"
    )
    table = "kind: EmailConnectors\ntemplate: shop\nconnectors:\n  # north\n  a: {city: A}\n  b: {city: B}\n"
    bare.write("shop.yaml", template)
    bare.write("deep/shops.yaml", table)
    bare.write("roles.yaml", "kind: Roles\nadministrators: {users: [mail-lead@contoso.example]}\n")
    bare.apply_untested()
    bare.write("deep/shops.yaml", table.replace("a: {city: A}", "a: {city: X}"))
    bare.write("shop.yaml", template.replace("password", "allow_cleartext_auth: false, password"))
    bare.apply_untested("--allow-updates", "9")
    done = bare("rollback", "1", "--out", "back")
    assert done.status == 0, done.said
    assert (bare.folder / "back/deep/shops.yaml").read_text("utf-8") == table
    assert done.out.startswith(
        "Wrote back/deep/shops.yaml\nCopied back/roles.yaml, which is unchanged\n"
    )
    changed = "\n  2. replace the files in connectors.d with these, and commit them\n"
    assert changed in done.out


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


def test_connectors_that_the_settings_forbid_are_not_written(home: Home) -> None:
    home.apply_untested()
    (home.folder / "reconciler.yaml").write_text("allowed_hosts: [other.example]\n", "utf-8")
    done = home("import", "--out", "fresh")
    assert done.status == INVALID
    assert "fresh/support.yaml" in done.err
    assert not (home.folder / "fresh").exists()


@pytest.mark.parametrize("command", [("import",), ("rollback", "1", "--out", "back")])
def test_an_empty_state_writes_nothing(command: tuple[str, ...], bare: Home) -> None:
    done = bare(*command)
    assert done.status == 1
    assert "there is n" in done.err
    assert list(bare.config.iterdir()) == []


def test_an_unwritable_folder_is_reported(home: Home) -> None:
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


def test_a_rollback_writes_the_old_files_and_applies_nothing(shared: Home) -> None:
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


def test_a_rollback_past_a_rename_keeps_the_history(shared: Home) -> None:
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
def test_a_folder_without_write_permission_is_reported(home: Home) -> None:
    home.apply_untested()
    (home.folder / "closed").mkdir(mode=0o500)
    done = home("import", "--out", "closed/fresh")
    assert done.status == 1
    assert "cannot be written: Permission denied" in done.err
