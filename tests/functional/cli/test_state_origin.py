"""A state records the project and the environment that it was made for, and others cannot apply to it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Home

REFUSED: Final = 5
NOT_AUTHORISED: Final = 8
UNTESTED: Final = ("apply", "--auto-approve", "--skip-tests", "no servers here")
GROUP: Final = "kind: Group\nname: {}\nmembers: {{users: [ada@contoso.example]}}\n"


@pytest.fixture
def shared(home: Home, tmp_path: Path) -> Home:
    """An applied project with its state elsewhere."""
    home.environ["RECONCILER_STATE"] = f"sqlite:///{tmp_path}/shared.db"
    home.write("../reconciler.yaml", "project: mail\n")
    home.apply_untested()
    return home


def refused(home: Home, *arguments: str) -> str:
    """The message of an apply that must be refused, and that the plan tells before."""
    planned = home("plan", *arguments)
    assert planned.status == 0, planned.said
    assert "the state was made for" in planned.out
    done = home(*UNTESTED, "--allow-deletes", "99", *arguments)
    assert done.status == REFUSED, done.said
    assert "`reconciler state adopt`" in done.err
    return done.err


def test_folders_of_one_project_do_not_take_turns_with_its_state(bare: Home) -> None:
    """`-c envs/dev` and `-c envs/prod`: applying the second destroyed the first."""
    bare.config.rmdir()
    for name in ("dev", "prod"):
        bare.write(f"../envs/{name}/a.yaml", GROUP.format(name))
    bare.config.rmdir()
    bare.apply_untested("-c", "envs/dev")
    message = refused(bare, "-c", "envs/prod")
    assert "connectors in dev; this is a project without a name, connectors in prod" in message
    assert "Group.dev" in bare("show", "Group.dev", "-c", "envs/dev").out
    assert bare("plan", "-c", "envs/dev", "--detailed-exitcode").status == 0


def test_projects_of_other_names_are_refused(shared: Home) -> None:
    shared.write("../reconciler.yaml", "project: shop\n")
    assert "the project mail" in refused(shared)
    (shared.folder / "reconciler.yaml").unlink()
    assert "a project without a name" in refused(shared)


def test_a_project_may_get_a_name(home: Home) -> None:
    home.apply_untested()
    home.write("../reconciler.yaml", "project: mail\n")
    home.apply_untested()
    home.write("../reconciler.yaml", "project: shop\n")
    refused(home)


def test_a_clone_elsewhere_is_the_same_project(shared: Home, tmp_path: Path) -> None:
    """A CI system makes a fresh checkout at a new path each time, with git or without."""
    for number, git in enumerate((True, False, True)):
        clone = type(shared)(tmp_path / f"runner-{number}" / "checkout")
        shutil.copytree(shared.folder, clone.folder)
        clone.environ = shared.environ
        if git:
            (clone.folder / ".git").mkdir()
        assert clone("plan", "--detailed-exitcode").status == 0
        clone.apply_untested()


def test_a_copy_in_the_same_repository_is_another_project(shared: Home) -> None:
    """`cp -r dev prod`, with the name and the state of the first."""
    (shared.folder / ".git").mkdir()
    shared.apply_untested()
    copy = type(shared)(shared.folder / "prod")
    copy.environ = shared.environ
    shutil.copytree(shared.config, copy.config)
    shutil.copy(shared.folder / "reconciler.yaml", copy.folder)
    assert "connectors.d of prod" in refused(copy)


def test_another_environment_is_refused(bare: Home) -> None:
    text = "environments: {dev: {}, prod: {}}\n"
    bare.write("../reconciler.yaml", text)
    bare.write("a.yaml", GROUP.format("a"))
    bare.environ["RECONCILER_STATE"] = f"sqlite:///{bare.folder}/one.db"
    bare.apply_untested("--env", "dev")
    assert "the environment dev" in refused(bare, "--env", "prod")


def test_a_state_is_moved_on_purpose(shared: Home) -> None:
    (shared.folder / "mail").mkdir()
    shared.config.rename(shared.folder / "mail" / "connectors.d")
    shared.write("../mail/reconciler.yaml", "project: mail-of-contoso\n")
    shared.config.rmdir()
    where = ("-C", "mail")
    refused(shared, *where)
    stranger = shared("state", "adopt", "--yes", *where, "--actor", "stranger@contoso.example")
    assert stranger.status == NOT_AUTHORISED
    refused(shared, *where)
    done = shared("state", "adopt", "--yes", *where)
    assert done.status == 0, done.said
    assert "the project mail-of-contoso" in done.out
    assert shared("plan", *where, "--detailed-exitcode").status == 0
    assert shared("state", "adopt", *where).status == 0, "nothing differs, so nothing is asked"


def test_nothing_is_forgotten_from_the_folder_of_another_project(shared: Home) -> None:
    shared.write("../reconciler.yaml", "project: shop\n")
    done = shared("state", "forget", "newsletter", "--yes")
    assert done.status == REFUSED
    assert "the state was made for the project mail" in done.err


@pytest.mark.parametrize("command", ["test", "drift", "doctor"])
def test_nothing_is_tested_from_the_folder_of_another_project(command: str, shared: Home) -> None:
    shared.write("../reconciler.yaml", "project: shop\n")
    done = shared(command, "support")
    assert done.status == REFUSED, done.said
    assert "the state was made for the project mail" in done.err


def test_a_machine_reads_it_among_the_checks(shared: Home) -> None:
    shared.write("../reconciler.yaml", "project: shop\n")
    checks = json.loads(shared("plan", "--format", "json").out)["checks"]
    (check,) = (item for item in checks if item["name"] == "other_project")
    assert (check["status"], check["override"]) == ("fail", "")


def test_init_names_the_project(bare: Home) -> None:
    bare.config.rmdir()
    assert bare("init").status == 0
    assert "project: home " in (bare.folder / "reconciler.yaml").read_text()
