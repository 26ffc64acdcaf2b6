"""A state moves between SQLite and PostgreSQL with everything that it holds."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from tests.builders import FINGERPRINT_KEY

if TYPE_CHECKING:
    from tests.functional.conftest import Home

SCHEMA = Path(__file__).parents[3] / "schemas" / "state-export.schema.json"
SECRET = "correct horse battery staple"
USAGE = 64


@pytest.fixture
def eventful(shared: Home) -> Home:
    """Two revisions, with a fingerprint."""
    shared.environ |= {"RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY, "INFO_APP_PASSWORD": SECRET}
    shared.apply_untested()
    shared.edit("support.yaml", "Support mailbox", "Help desk 📬")
    shared.apply_untested()
    return shared


def test_a_state_moves_there_and_back_and_is_the_same(eventful: Home) -> None:
    assert eventful("state", "export", "--out", "there.json").status == 0
    there = (eventful.folder / "there.json").read_text("utf-8")
    jsonschema.validate(json.loads(there), json.loads(SCHEMA.read_text("utf-8")))
    assert SECRET not in there
    info = next(item for item in json.loads(there)["resources"] if item["name"] == "info")
    assert info["fingerprints"]
    assert stat.S_IMODE((eventful.folder / "there.json").stat().st_mode) == 0o600
    history, status = eventful("history").out, eventful("status").out

    moved = ("--state", "sqlite:///moved.db")
    done = eventful("state", "import", "there.json", *moved)
    assert done.status == 0, done.said
    assert "Imported revisions 1 to 2 with 19 resources" in done.out
    assert "RECONCILER_FINGERPRINT_KEY" in done.err
    assert eventful("history", *moved).out == history
    assert eventful("status", *moved).out == status
    assert eventful("plan", "--check-secrets", "--detailed-exitcode", *moved).status == 0
    assert eventful("state", "export", *moved).out == there
    eventful.environ["INFO_APP_PASSWORD"] = "another"
    assert "rotated" in eventful("plan", "--check-secrets", *moved).out, "fingerprints came along"


@pytest.mark.server
def test_a_state_moves_into_postgresql_and_on(
    eventful: Home, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgresql")
    text = eventful("state", "export").out
    (eventful.folder / "state.json").write_text(text, "utf-8")
    server.clear()
    into = ("--state", server.url)
    done = eventful("state", "import", "state.json", *into)
    assert done.status == 0, done.said
    assert eventful("state", "export", *into).out == text
    eventful.edit("support.yaml", "Help desk 📬", "Desk")
    eventful.apply_untested(*into)
    assert "EmailConnector.support was updated" in eventful("diff", "2", *into).out
    server.clear()


def test_a_state_that_is_not_empty_is_refused(eventful: Home) -> None:
    eventful("state", "export", "--out", "state.json")
    before = eventful("state", "export").out
    done = eventful("state", "import", "state.json")
    assert done.status == 1
    assert "is not empty: it is at serial 2" in done.err
    assert eventful("state", "export").out == before
    assert "already exists" in eventful("state", "export", "--out", "state.json").err


def test_an_incomplete_export_writes_nothing(home: Home) -> None:
    home.apply_untested()
    text = home("state", "export").out
    files = {
        "cut.json": text[: len(text) // 2],
        "changed.json": text.replace("gmail", "other"),
        "plan.json": home("plan", "--format", "json").out,
        "empty.json": "",
    }
    for name, content in files.items():
        (home.folder / name).write_text(content, "utf-8")
    for name in (*files, "no-such.json", "connectors.d"):
        done = home("state", "import", name, "--state", "sqlite:///new.db")
        assert done.status == 1, name
        assert done.err.startswith("Error: "), name
    assert not (home.folder / "new.db").exists()


def test_a_locked_state_is_not_filled(home: Home) -> None:
    from reconciler.state.sql.store import open_store

    home.apply_untested()
    home("state", "export", "--out", "state.json")
    store = open_store(f"sqlite:///{home.folder}/new.db")
    with store.lock(holder="grace", operation="apply"):
        done = home("state", "import", "state.json", "--state", "sqlite:///new.db")
    store.close()
    assert done.status == 7
    assert "grace" in done.err


def test_an_empty_state_exports_nothing(bare: Home) -> None:
    done = bare("state", "export")
    assert done.status == 1
    assert "nothing to export" in done.err
    assert bare("state", "import").status == USAGE


def test_only_the_key_is_printed_and_it_differs_each_time(home: Home) -> None:
    made = [home("state", "key") for _ in range(2)]
    assert all(done.status == 0 and not done.err for done in made)
    assert made[0].out != made[1].out
    assert re.fullmatch(r"reconciler_key_[0-9a-f]{72}\n", made[0].out)
    home.apply_untested()
    assert home("plan", "--check-secrets", RECONCILER_FINGERPRINT_KEY=made[0].out).status == 0
    for name in ("connectors.d/info.yaml", "nowhere"):
        done = home("state", "key", name)
        assert done.status == 1
        assert name in done.err


def test_rotations_are_noticed_after_a_state_and_its_key_have_moved(
    home: Home, tmp_path: Path
) -> None:
    environ = {"INFO_APP_PASSWORD": "one"}
    home.environ |= environ
    home.apply_untested()
    home("state", "export", "--out", "there.json")
    key = home("state", "key", ".reconciler/fingerprint.key").out.strip()
    moved = {
        "RECONCILER_STATE": f"sqlite:///{tmp_path}/moved.db",
        "RECONCILER_FINGERPRINT_KEY": key,
    }
    assert home("state", "import", "there.json", **moved).status == 0
    assert "rotated" not in home("plan", "--check-secrets", **moved).out
    assert "rotated" in home("plan", "--check-secrets", **moved, INFO_APP_PASSWORD="two").out


def test_a_chosen_key_is_rejected_by_commands_that_need_one(home: Home) -> None:
    done = home(
        "apply", "--auto-approve", RECONCILER_FINGERPRINT_KEY="correct horse battery staple"
    )
    assert done.status == USAGE
    assert "is not a generated key" in done.err
    assert "`reconciler state key`" in done.err
    assert "correct horse" not in done.said
