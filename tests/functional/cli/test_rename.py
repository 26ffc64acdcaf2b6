"""`rename` edits every file that names a resource, and the plan shows a rename and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

USAGE: Final = 64
INVALID: Final = 3


def contents(home: Home) -> dict[str, bytes]:
    """Every file of the configuration, those beginning with a dot included."""
    return {str(path): path.read_bytes() for path in home.config.rglob("*") if path.is_file()}


def test_the_plan_after_a_rename_shows_only_the_rename(home: Home) -> None:
    home.apply_untested()
    done = home("rename", "no-reply", "robot")
    assert (done.status, done.err) == (0, "")
    assert "connectors.d/no-reply.yaml: 1 place\nconnectors.d/policy.yaml: 2 places\n" in done.out
    assert home("validate").status == 0
    assert home("fmt", "--check").status == 0
    changes = json.loads(home("plan", "--format", "json").out)["resource_changes"]
    assert [(item["address"], item["change"]["actions"]) for item in changes] == [
        ("EmailConnector.robot", ["rename"]), ("GlobalSmtpPolicy.default", ["update"])]  # fmt: skip
    before, after = (changes[0]["change"][side] for side in ("before", "after"))
    assert after == before | {"name": "robot"}
    home.apply_untested("--allow-policy-change")
    assert "No changes." in home("plan").out


def test_a_dry_run_shows_what_a_rename_changes_and_writes_nothing(home: Home) -> None:
    before = contents(home)
    done = home("rename", "no-reply", "robot", "--dry-run")
    assert done.status == 0
    for line in ("-name: no-reply", "+name: robot", "+renamed_from: no-reply", "+connector: robot",
                 "+fallback_connector: robot"):  # fmt: skip
        assert f"\n{line}\n" in done.out
    assert contents(home) == before


def test_a_group_and_a_provider_and_an_application_are_renamed(home: Home) -> None:
    home.write("shop.yaml", "kind: Application\nname: shop\nuser: shop@contoso.example\npassword: env:X\n")  # fmt: skip
    for old, new in (("Group.hr", "people"), ("Provider.contoso", "Provider.own"), ("Application.shop", "store")):  # fmt: skip
        done = home("rename", old, new)
        assert done.status == 0, done.said
        assert home("validate").status == 0
    assert "groups: [people]" in (home.config / "payroll.yaml").read_text()
    assert "provider: own  " in (home.config / "no-reply.yaml").read_text()
    assert "name: store\n" in (home.config / "shop.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("info", "support", "the name support is taken, in connectors.d/support.yaml:"),
        ("info", "Info", "a lower-case letter"),
        ("info", "", "a lower-case letter"),
        ("info", "info", "is called info already"),
        ("inof", "desk", "Did you mean `info`?"),
        ("hr", "people", "There is Group.hr."),
        ("Provider.gmail", "mine", "It is built in"),
        ("Provider.contoso", "gmail", "is that of a built-in provider"),
        ("Permissions.info", "desk", "Permissions follow their connector"),
        ("Roles", "desk", "has no name of its own"),
    ],
)
def test_an_invalid_name_is_rejected(home: Home, old: str, new: str, said: str) -> None:
    before = contents(home)
    done = home("rename", old, new)
    assert done.status == USAGE
    assert said in done.err
    assert contents(home) == before


def test_a_name_from_a_variable_is_refused_in_whichever_environment_it_is_set(home: Home) -> None:
    home.write("../reconciler.yaml",
               "variables: {main: {type: text}}\n"
               "environments: {a: {variables: {main: support}}, b: {variables: {main: info}}}\n")  # fmt: skip
    home.edit("policy.yaml", "fallback_connector: no-reply", "fallback_connector: ${var.main}")
    before = contents(home)
    done = home("rename", "info", "desk", "--env", "a")
    assert done.status == 1, done.said
    line = (home.config / "policy.yaml").read_text().splitlines().index(
        "fallback_connector: ${var.main}") + 1  # fmt: skip
    assert f"connectors.d/policy.yaml:{line}:21 (it is set by a variable)" in done.err
    assert contents(home) == before
    assert home("rename", "no-reply", "robot").status == 0


def test_an_invalid_configuration_and_a_name_that_would_make_it_so_are_refused(home: Home) -> None:
    home.edit("invoices.yaml", "name: invoices\n", "name: invoices\nrenamed_from: desk\n")
    before = contents(home)
    done = home("rename", "info", "desk")
    assert done.status == INVALID
    assert "connector/renamed-from" in done.err
    home.write("broken.yaml", "kind: Group\nname: [\n")
    assert home("rename", "info", "other").status == INVALID
    home.remove("broken.yaml")
    assert contents(home) == before


def test_line_ends_a_byte_order_mark_the_mode_and_links_stay(home: Home) -> None:
    path = home.config / "policy.yaml"
    data = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")
    real = home.config / "..data" / "policy.yaml"
    real.parent.mkdir()
    real.write_bytes(data)
    real.chmod(0o640)
    path.unlink()
    path.symlink_to("..data/policy.yaml")
    assert home("rename", "no-reply", "robot").status == 0
    assert path.is_symlink()
    assert real.read_bytes() == data.replace(b"connector: no-reply", b"connector: robot")
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("failing", [1, 2])
def test_a_file_that_cannot_be_replaced_leaves_all_as_they_were(
    home: Home, failing: int, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(home)
    replace, calls = Path.replace, 0

    def fail(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    done = home("rename", "no-reply", "robot")
    assert done.status == 1
    assert f"cannot be written: the disk at {disk} is full" in done.err
    assert contents(home) == before


def test_a_file_that_changed_meanwhile_is_not_overwritten(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.app import rename

    write = rename.write_rename

    def late(renaming: rename.Renaming) -> None:
        home.edit("policy.yaml", "enabled: false", "enabled: true")
        write(renaming)

    monkeypatch.setattr(rename, "write_rename", late)
    done = home("rename", "no-reply", "robot")
    assert done.status == 1
    assert "was changed by another program in the meantime" in done.err
    assert "name: no-reply" in (home.config / "no-reply.yaml").read_text()
    assert "connector: robot" not in (home.config / "policy.yaml").read_text()


def test_templates_and_tables_follow_a_group_and_a_row_of_a_table_is_renamed(home: Home) -> None:
    example = Path(__file__).parents[2] / "examples" / "valid" / "templates" / "connectors.d"
    home.write("shop.yaml", (example / "shop.yaml").read_text("utf-8"))
    home.write("shops.yaml", (example / "shops.yaml").read_text("utf-8").replace(
        "lead@example.com]}", "lead@example.com], groups: [hr]}"))  # fmt: skip
    assert home("validate").status == 0
    assert home("rename", "Group.hr", "people").status == 0
    assert "groups: [people]" in (home.config / "shops.yaml").read_text()
    assert home("rename", "hamburg", "elbe").status == 0
    renamed = (home.config / "shops.yaml").read_text("utf-8")
    assert "  elbe: {city: Hamburg" in renamed
    assert "{elbe: hamburg, berlin: berlin-mitte}" in renamed
    assert home("rename", "paris", "lyon").status == 0
    assert home("validate").status == 0
