"""``state check`` and ``history --verify``, as a user runs them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home


def damage(home: Home, statement: str) -> None:
    with closing(sqlite3.connect(home.state)) as raw:
        raw.execute(statement)
        raw.commit()


@pytest.fixture
def applied(home: Home) -> Home:
    home.apply_untested()
    return home


def test_an_intact_state_passes_the_check(applied: Home) -> None:
    checked, verified = applied("state", "check"), applied("history", "--verify")
    assert (checked.status, checked.out) == (0, "No problems found.\n")
    assert verified.status == 0
    assert verified.out.startswith("All revisions match their digests. Revision 1: sha256:")
    before = verified.out
    applied.edit("info.yaml", "General enquiries", "Help desk")
    applied.apply_untested()
    assert applied("history", "--verify").out.startswith(
        "All revisions match their digests. Revision 2"
    )
    assert applied("history", "--verify").out != before


def test_a_history_that_was_changed_is_noticed(applied: Home) -> None:
    damage(applied, "UPDATE revisions SET actor = 'eve@contoso.example'")
    verified = applied("history", "--verify")
    assert verified.status == 1
    assert "Revision 1 does not match its digest" in verified.out


@pytest.mark.parametrize("command", ["state check", "status", "plan", "state export", "history"])
def test_a_damaged_value_is_named_by_every_command(applied: Home, command: str) -> None:
    damage(applied, "UPDATE revisions SET serial = serial, added = 'many'")
    damage(applied, "UPDATE resources SET modified_at = 'yesterday' WHERE name = 'info'")
    done = applied(*command.split())
    assert done.status == 1
    assert "Traceback" not in done.said
    place = "column added" if command in ("history", "state check") else "column"
    assert place in done.said


def test_without_an_apply_there_is_nothing_to_check(home: Home) -> None:
    assert home("state", "check").status == 0
    assert home("history", "--verify").out == "Nothing was applied yet.\n"
    assert not home.state.exists()


def test_a_truncated_state_is_salvaged_and_imported_elsewhere(applied: Home) -> None:
    octets = applied.state.read_bytes()
    applied.state.write_bytes(octets[: len(octets) // 2])
    refused = applied("status")
    assert refused.status == 1
    assert "`reconciler state export --salvage` writes what can still be read" in refused.err
    rescued, other = applied.state.with_name("rescued.json"), applied.state.with_name("other.db")
    done = applied("state", "export", "--salvage", "--out", str(rescued))
    assert done.status == 1
    assert "pages are missing" in done.err.splitlines()[1]
    assert done.err.startswith("lost: the file: SQLite cannot open it: ")
    imported = applied("state", "import", str(rescued), "--state", f"sqlite:///{other}")
    assert imported.status == 0, imported.said
    assert applied("history", "--state", f"sqlite:///{other}").status == 0
    assert applied("state", "check", "--state", f"sqlite:///{other}").status == 0


def test_a_damaged_state_is_salvaged_and_imported_elsewhere(applied: Home) -> None:
    whole = applied("state", "export", "--salvage")
    assert (whole.status, whole.err) == (0, "")
    damage(applied, "UPDATE resources SET modified_at = 'yesterday' WHERE name = 'info'")
    rescued, other = applied.state.with_name("rescued.json"), applied.state.with_name("other.db")
    done = applied("state", "export", "--salvage", "--out", str(rescued))
    assert done.status == 1
    assert "lost: table resources, row uid " in done.err
    assert "column modified_at: expected a point in time" in done.err
    assert '"losses": [\n' in rescued.read_text(encoding="utf-8")
    imported = applied("state", "import", str(rescued), "--state", f"sqlite:///{other}")
    assert imported.status == 0, imported.said
    assert applied("state", "check", "--state", f"sqlite:///{other}").status == 0
