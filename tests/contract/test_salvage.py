"""What can be read of a damaged state is written, can be imported, and the rest is listed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateError
from reconciler.state.exported import from_text, to_text
from reconciler.state.sql.store import open_store
from tests.contract.test_damaged_states import COLUMNS, WRONG, damage, path

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.state.exported import StateExport

__all__ = ["path"]


def salvaged(path: Path) -> StateExport:
    """What is salvaged, after its way through a file, which an import verifies."""
    return from_text(to_text(open_store(f"sqlite:///{path}").salvage()))


def check_import(found: StateExport, url: str) -> None:
    """Import what was salvaged, and check the new state."""
    other = open_store(url)
    with other.lock(holder="ada", operation="state import") as held:
        other.restore(found, token=held.lease.token)
    assert other.check() == ()
    assert other.broken_links() == ()


def test_nothing_is_lost_of_a_whole_state(path: Path) -> None:
    assert to_text(salvaged(path)) == to_text(open_store(f"sqlite:///{path}").export())


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_what_is_left_of_a_wrong_value_can_be_imported(path: Path, table: str, column: str) -> None:
    if (table, column) == ("meta", "id") or table in ("lock", "routing_keys"):
        return  # which are not in an export: keys follow from the resources
    before = path.read_bytes()
    for value in WRONG:
        path.write_bytes(before)
        if damage(path, f'UPDATE "{table}" SET "{column}" = ?', value):
            wrong = open_store(f"sqlite:///{path}").check()
            assert salvaged(path).losses or not wrong, value


def test_a_loss_is_named_by_table_row_and_column(path: Path) -> None:
    damage(path, "UPDATE sent SET recipients = 'many'")
    found = salvaged(path)
    assert str(found.losses[0]) == (
        "table sent, row id '5eed', column recipients: expected a whole number"
    )
    assert not any(item.id == "5eed" for item in found.sent)
    assert found.revisions[-1].actor == "state export --salvage"


@pytest.mark.parametrize("table", ["revisions", "history", "resources", "fingerprints", "tests"])
def test_a_state_without_the_half_of_a_table_can_be_imported(path: Path, table: str) -> None:
    damage(path, f"DELETE FROM {table} WHERE rowid % 2 = 0")
    damage(path, "UPDATE meta SET serial = 9e18")
    check_import(salvaged(path), f"sqlite:///{path.with_name('other.db')}")


def test_a_resource_that_cannot_be_read_is_taken_from_its_history(path: Path) -> None:
    whole = {item.name: item.spec for item in open_store(f"sqlite:///{path}").export().resources}
    damage(path, "UPDATE resources SET spec = '{'")
    assert {item.name: item.spec for item in salvaged(path).resources} == whole


def test_a_resource_that_was_changed_behind_its_digest_is_not_trusted(path: Path) -> None:
    damage(path, "UPDATE resources SET spec = replace(spec, 'payroll@', 'thief@')")
    damage(path, "UPDATE history SET spec = NULL")
    assert "thief@" not in to_text(salvaged(path))


def test_flipped_and_missing_pages_cost_only_what_was_there(path: Path) -> None:
    whole = path.read_bytes()
    saved = 0
    for place in range(4096, len(whole), 4096):
        for broken in (
            whole[:place] + b"\xff" * 200 + whole[place + 200 :],
            whole[:place],
            whole[: place + 100],
        ):
            path.write_bytes(broken)
            with suppress(StateError):  # nothing at all can be read; anything else is a traceback
                saved += bool(salvaged(path).losses)
    assert saved


@pytest.mark.server
def test_rows_of_postgresql_are_salvaged(path: Path, postgresql_url: str) -> None:
    import psycopg

    with psycopg.connect(postgresql_url) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("DROP SCHEMA IF EXISTS reconciler CASCADE")
    check_import(open_store(f"sqlite:///{path}").export(), postgresql_url)
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("UPDATE reconciler.history SET spec = '{' WHERE serial = 1")
        connection.execute("UPDATE reconciler.attempts SET outcome = 'maybe'")
    found = from_text(to_text(open_store(postgresql_url).salvage()))
    assert {item.table for item in found.losses} >= {"history", "attempts"}
    assert found.attempts == ()
    check_import(found, f"sqlite:///{path.with_name('other.db')}")
