"""What can be read of a damaged state is written, can be imported, and the rest is listed."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateError
from reconciler.state.sql.store import open_store
from reconciler.state.sqlite_file import log_of, read_pages
from reconciler.values import replace
from tests.contract.test_damaged_states import COLUMNS, WRONG, damage, reopened
from tests.contract.write_state import STATES
from tests.whole_states import export_of, from_text, salvage_of, to_text

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.state.exported import StateExport
    from tests.contract.test_damaged_states import Reopened
    from tests.sweeps import Some

__all__ = ["reopened"]


def salvaged(path: Path) -> StateExport:
    """What is salvaged, after its way through a file, which an import verifies."""
    return from_text(to_text(salvage_of(open_store(f"sqlite:///{path}"))))


def check_import(found: StateExport, url: str) -> None:
    """Import what was salvaged, and check the new state."""
    other = open_store(url)
    with other.lock(holder="ada", operation="state import") as held:
        other.restore(found, token=held.lease.token)
    assert other.check() == ()
    assert other.broken_links() == ()


def test_nothing_is_lost_of_a_whole_state(path: Path) -> None:
    assert to_text(salvaged(path)) == to_text(export_of(open_store(f"sqlite:///{path}")))


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_the_remains_of_a_wrong_value_can_be_imported(
    reopened: Reopened, table: str, column: str, some: Some
) -> None:
    if (table, column) == ("meta", "id") or table in ("lock", "routing_keys"):
        return  # which are not in an export: keys follow from the resources
    for value in some(WRONG):
        if reopened.damage(f'UPDATE "{table}" SET "{column}" = ?', value):
            found = from_text(to_text(salvage_of(reopened.store)))
            assert found.losses or not reopened.store.check(), value


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
    whole = {item.name: item.spec for item in export_of(open_store(f"sqlite:///{path}")).resources}
    damage(path, "UPDATE resources SET spec = '{'")
    assert {item.name: item.spec for item in salvaged(path).resources} == whole


def test_a_resource_that_was_changed_behind_its_digest_is_not_trusted(path: Path) -> None:
    damage(path, "UPDATE resources SET spec = replace(spec, 'payroll@', 'thief@')")
    damage(path, "UPDATE history SET spec = NULL")
    assert "thief@" not in to_text(salvaged(path))


PAGE = 4096


def exported(path: Path) -> dict[str, set[str]]:
    """The rows of a state by their tables, as texts that can be compared."""
    return rows_of(from_text(to_text(export_of(open_store(f"sqlite:///{path}")))))


def rows_of(export: StateExport) -> dict[str, set[str]]:
    return {
        "revisions": {f"{item.serial} {item.actor} {item.at}" for item in export.revisions},
        "resources": {f"{item.uid} {item.spec} {item.modified_at}" for item in export.resources},
        "history": {f"{item.serial} {item.uid} {item.spec}" for item in export.history},
        "sent": {repr(item) for item in export.sent},
        "attempts": {repr(item) for item in export.attempts},
        "uses": {repr(item) for item in export.credential_uses},
    }


def tables_on(path: Path) -> dict[int, str]:
    """Which table or index each page belongs to, as SQLite itself says."""
    with closing(sqlite3.connect(path)) as raw:
        roots = raw.execute("SELECT rootpage, tbl_name, type FROM sqlite_schema WHERE rootpage > 0")
        return {root: f"{kind} {name}" for root, name, kind in roots}


def test_whatever_is_before_a_cut_is_salvaged(path: Path) -> None:
    whole, before = path.read_bytes(), exported(path)
    most, counts = sum(map(len, before.values())), []
    count = len(whole) // PAGE
    for pages in range(1, count):
        path.write_bytes(whole[: pages * PAGE + 100 * (pages % 3)])
        try:
            found = salvaged(path)
        except StateError:
            counts.append(0)
            continue
        assert any(f"{count - pages} of {count} pages" in item.problem for item in found.losses)
        rows = rows_of(found)
        for name in ("history", "sent", "attempts", "uses"):
            left = {item.split()[-1] for item in rows[name] - before[name]}
            assert not left or name == "history", (pages, left)  # of which there is one entry more
        counts.append(sum(len(rows[name] & before[name]) for name in rows))
        if pages % 6 == 0:
            check_import(found, f"sqlite:///{path.with_name(f'other-{pages}.db')}")
    assert counts == sorted(counts), "a longer piece gives no less"
    assert counts[count // 2] > most // 4
    assert counts[-1] > most * 3 // 4


@pytest.mark.parametrize("damaged", ["schema", "header", "page"])
def test_without_its_first_page_rows_are_recognised(path: Path, damaged: str) -> None:
    whole, before = path.read_bytes(), exported(path)
    start, end = {"schema": (100, PAGE), "header": (0, 100), "page": (0, PAGE)}[damaged]
    path.write_bytes(whole[:start] + bytes(end - start) + whole[end:])
    found = salvaged(path)
    rows = rows_of(found)
    for name in ("history", "sent", "attempts", "uses", "resources"):
        assert rows[name] >= before[name], name
    recognised = any("recognised by their form" in item.problem for item in found.losses)
    assert recognised == (damaged != "header")
    check_import(found, f"sqlite:///{path.with_name('other.db')}")


def test_a_page_of_zeros_or_garbage_costs_only_what_was_on_it(path: Path) -> None:
    whole, before = path.read_bytes(), exported(path)
    places = tables_on(path)
    for root, name in places.items():
        for broken in (bytes(PAGE), b"\xff" * PAGE):
            start = (root - 1) * PAGE
            path.write_bytes(whole[:start] + broken + whole[start + PAGE :])
            rows = rows_of(salvaged(path))
            for other in ("history", "sent", "attempts", "uses"):
                if name.split()[1] not in (other, "credential_uses"):
                    assert rows[other] >= before[other], (name, other)


def test_a_log_that_was_not_moved_into_the_file_counts(path: Path) -> None:
    other = path.with_name("copy.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA wal_autocheckpoint = 0")
        raw.execute("UPDATE sent SET sentence = 'written to the log'")
        raw.execute("BEGIN")
        raw.execute("UPDATE sent SET sentence = 'never committed'")
        other.write_bytes(path.read_bytes()[: 20 * PAGE])
        other.chmod(0o600)
        log_of(other).write_bytes(log_of(path).read_bytes())
        log_of(other).chmod(0o600)
        raw.execute("ROLLBACK")
    pages = read_pages(other)
    assert pages is not None
    texts = [str(row.values) for number in pages.leaves for row in pages.rows(number)]
    assert any("written to the log" in item for item in texts)
    assert not any("never committed" in item for item in texts)


def test_pages_that_are_free_are_not_read(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA secure_delete = OFF")  # which some builds of SQLite have on
        for number in range(300):
            raw.execute(
                "INSERT INTO sent SELECT ?, at, actor, actor_source, connector, host, message_id, sender,"
                " from_address, recipients, accepted, size, result, code, enhanced, 'pruned', copy, application,"
                " asked_connector, reason FROM sent LIMIT 1",
                (f"more-{number}",),
            )
        raw.execute("DELETE FROM sent WHERE id LIKE 'more-%'")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = exported(path)
    octets = path.read_bytes()
    path.write_bytes(octets[:100] + bytes(PAGE - 100) + octets[PAGE:])
    assert rows_of(salvaged(path))["sent"] == before["sent"]


@pytest.mark.parametrize("octets", [b"", b"x", b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 9000,
                                    b"\x0d" + b"\xff" * 8191, b"{}" * 5000])  # fmt: skip
def test_a_file_that_never_was_a_state_is_rejected(path: Path, octets: bytes) -> None:
    path.write_bytes(octets)
    with pytest.raises(StateError):
        salvaged(path)


def test_random_damage_is_never_a_traceback(path: Path) -> None:
    whole, dice = path.read_bytes(), random.Random(11)
    saved = 0
    for _ in range(40):
        broken = bytearray(whole)
        for _ in range(dice.choice((1, 20, 400))):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        path.write_bytes(broken[: dice.choice((len(broken), dice.randrange(len(broken))))])
        with suppress(StateError):  # nothing at all can be read
            saved += bool(salvaged(path).losses)
    assert saved > 20


def test_pages_are_read_as_sqlite_reads_them(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("CREATE TABLE odd (a, b, c)")
        values = [
            (None, 0, 1), (-1, 2**63 - 1, -(2**63)), (1.5, "x" * 9000, b"\0" * 20_000), (127, 128, 32768),
            (2**23, 2**31, 2**47), ("é📬", "", b""),
        ]  # fmt: skip
        for number in (*range(len(values)), -5, 2**62):
            raw.execute(
                "INSERT INTO odd (rowid, a, b, c) VALUES (?, ?, ?, ?)",
                (number, *values[number % 6]),
            )
        there = raw.execute("SELECT rowid, a, b, c FROM odd ORDER BY rowid").fetchall()
    pages = read_pages(path)
    assert pages is not None
    found = [
        (row.number, *row.values)
        for number in pages.leaves_below(pages.roots["odd"])
        for row in pages.rows(number)
    ]
    assert found == there


@pytest.mark.parametrize("version", ["0001", "0002", "0003", "0004"])
def test_a_state_of_an_older_release_is_salvaged_as_it_is(version: str, path: Path) -> None:
    shutil.copyfile(STATES / f"{version}.db", path)
    octets = path.read_bytes()
    found = salvaged(path)
    damage(path, "UPDATE history SET spec = '{' WHERE serial = 1")
    damaged = salvaged(path)
    path.write_bytes(octets)
    store = open_store(f"sqlite:///{path}")
    assert store.migrate()
    migrated = export_of(store)
    # An import, too, computes what a migration computes from the rest.
    revisions = tuple(replace(item, chain="") for item in migrated.revisions)
    assert tuple(replace(item, chain="") for item in found.revisions) == revisions
    assert (found.losses, found.resources, found.history) == (
        (),
        migrated.resources,
        migrated.history,
    )
    assert (found.sent, found.attempts, found.settings) == (migrated.sent, migrated.attempts, migrated.settings)  # fmt: skip
    assert {item.table for item in damaged.losses} == {"history"}
    assert damaged.resources == migrated.resources
    for number, export in enumerate((found, damaged)):
        check_import(export, f"sqlite:///{path.with_name(f'other-{number}.db')}")


def test_an_older_file_that_sqlite_does_not_read_is_salvaged_by_its_pages(path: Path) -> None:
    shutil.copyfile(STATES / "0001.db", path)
    whole = salvaged(path)
    octets = path.read_bytes()
    path.write_bytes(octets[:100] + bytes(PAGE - 100) + octets[PAGE:])
    found = salvaged(path)
    assert found.losses
    assert found.resources == whole.resources


@pytest.mark.server
def test_rows_of_postgresql_are_salvaged(path: Path, postgresql_url: str) -> None:
    import psycopg

    with psycopg.connect(postgresql_url) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("DROP SCHEMA IF EXISTS reconciler CASCADE")
    check_import(export_of(open_store(f"sqlite:///{path}")), postgresql_url)
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("UPDATE reconciler.history SET spec = '{' WHERE serial = 1")
        connection.execute("UPDATE reconciler.attempts SET outcome = 'maybe'")
    found = from_text(to_text(salvage_of(open_store(postgresql_url))))
    assert {item.table for item in found.losses} >= {"history", "attempts"}
    assert found.attempts == ()
    check_import(found, f"sqlite:///{path.with_name('other.db')}")
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("UPDATE reconciler.alembic_version SET version_num = '0003'")
        connection.execute(
            "ALTER TABLE reconciler.sent DROP COLUMN application, DROP COLUMN reason"
        )
        connection.execute("DROP TABLE reconciler.routing_keys")
    older = from_text(to_text(salvage_of(open_store(postgresql_url))))
    assert (older.losses, older.resources) == (found.losses, found.resources)
    assert {item.id for item in older.sent} == {item.id for item in found.sent}
