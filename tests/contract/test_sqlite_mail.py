"""Sending one mail with only the driver: the same answers and rows as from the whole store, which is used in case of doubt."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.errors import StateError
from reconciler.model.sending import FINAL, SendingRecord
from reconciler.routing.keys import RoutingNeeds
from reconciler.state import sqlite_mail, sqlite_reader
from reconciler.state.sql import tables
from reconciler.state.sql.store import open_store
from reconciler.state.sqlite_mail import SqliteMailState
from reconciler.values import replace
from tests.contract.test_damaged_states import WRONG, damage
from tests.contract.test_state_files import VERSIONS
from tests.contract.test_store_routing import unopened
from tests.contract.test_store_sending import REFUSED as ANY_REFUSED
from tests.contract.test_store_sending import SENT as ANY_SENT
from tests.contract.write_state import STATES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.state.base import MailState, StateStore
    from tests.sweeps import Some


SENT: Final = replace(ANY_SENT, id="a-new-one")
REFUSED: Final = replace(ANY_REFUSED, id="another-new-one")


def whole(path: Path) -> StateStore:
    return open_store(f"sqlite:///{path}")


def needs(path: Path) -> RoutingNeeds:
    """Needs that touch every kind of row."""
    with closing(sqlite3.connect(path)) as raw:
        names = raw.execute("SELECT name FROM resources WHERE kind = 'EmailConnector'").fetchall()
        members = raw.execute("SELECT key FROM routing_keys WHERE role = 'member'").fetchall()
        addresses = raw.execute("SELECT key FROM routing_keys WHERE role = 'address'").fetchall()
    return RoutingNeeds(
        actor=members[0][0] if members else "ada@contoso.example",
        connectors=frozenset(name for (name,) in names),
        addresses=frozenset(key for (key,) in addresses),
    )


def rows(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("SELECT * FROM sent ORDER BY id").fetchall()


def test_it_answers_as_the_whole_store_does(path: Path) -> None:
    mail, asked = SqliteMailState(path, unopened), needs(path)
    (newest,), (expected,) = mail.revisions(limit=1), whole(path).revisions(limit=1)
    assert (newest.serial, newest.plan_digest) == (expected.serial, expected.plan_digest)
    assert not mail.migrate()
    excerpt = mail.routing(asked)
    assert excerpt == whole(path).routing(asked)
    assert excerpt is not None
    assert excerpt.snapshot.connectors
    mail.close()


def test_it_writes_the_rows_that_the_whole_store_writes(path: Path, tmp_path: Path) -> None:
    records = (SENT, REFUSED, replace(SENT, id=f"{SENT.id}{FINAL}", sentence="é\n'\"", code=None))
    other = tmp_path / "other.db"
    shutil.copyfile(path, other)
    other.chmod(0o600)
    mail, store = SqliteMailState(path, unopened), whole(other)
    for record in records:
        mail.record_sent(record)
        store.record_sent(record)
    assert rows(path) == rows(other)
    assert {item.id for item in records} <= {row[0] for row in rows(path)}
    assert {item.name for item in tables.sent.columns} == set(SendingRecord.__dataclass_fields__)


ASKED: Final[dict[str, Callable[[MailState, RoutingNeeds], object]]] = {
    "migrate": lambda state, _: state.migrate(),
    "revisions": lambda state, _: [
        (item.serial, item.plan_digest) for item in state.revisions(limit=1)
    ],
    "routing": lambda state, asked: state.routing(asked),
    "record_sent": lambda state, _: state.record_sent(SENT),
}


def outcome(state: MailState, question: str, asked: RoutingNeeds) -> object:
    """The answer to a question, or the error and what it says."""
    try:
        return ASKED[question](state, asked)
    except StateError as error:
        return type(error), error.message, error.hint
    finally:
        state.close()


def same(path: Path, question: str, asked: RoutingNeeds, what: object) -> None:
    """Assert that both ways give the same result, each from the same file."""
    before = path.read_bytes() if path.exists() else None
    expected, found = outcome(whole(path), question, asked), path.exists() and rows_or_none(path)
    restore(path, before)
    mail = SqliteMailState(path, lambda: whole(path))
    assert outcome(mail, question, asked) == expected, (question, what)
    assert (path.exists() and rows_or_none(path)) == found, (question, what)
    restore(path, before)


def rows_or_none(path: Path) -> object:
    try:
        return rows(path)
    except sqlite3.Error:
        return None


def restore(path: Path, content: bytes | None) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


@pytest.mark.parametrize("table", ["meta", "revisions", "resources", "routing_keys"])
def test_damage_is_reported_as_by_the_whole_store(table: str, path: Path, some: Some) -> None:
    before, asked = path.read_bytes(), needs(path)
    columns = tables.metadata.tables[table].columns
    for column, value in some(product(columns, (*WRONG, None, ""))):
        restore(path, before)
        if damage(path, f'UPDATE "{table}" SET "{column.name}" = ?', value):
            for question in ASKED:
                same(path, question, asked, (column.name, value))


@pytest.mark.parametrize("version", [*VERSIONS[:-1], "9999"])
@pytest.mark.parametrize("question", ASKED)
def test_other_schemas_are_reported_as_by_the_whole_store(
    version: str, question: str, path: Path
) -> None:
    asked = needs(path)
    if version == "9999":
        assert damage(path, "UPDATE alembic_version SET version_num = '9999'")
    else:
        shutil.copyfile(STATES / f"{version}.db", path)
    if question == "migrate" and version != "9999":
        assert SqliteMailState(path, lambda: whole(path)).migrate()
        assert SqliteMailState(path, unopened).migrate() is False
    else:
        same(path, question, asked, version)


def test_an_incomplete_file_is_reported_as_by_the_whole_store(path: Path) -> None:
    content, asked = path.read_bytes(), needs(path)
    for broken in (b"", content[:-1], content[:512], b"no database"):
        for question in ASKED:
            restore(path, broken)
            same(path, question, asked, broken[:9])
    path.unlink()
    for question in ASKED:
        same(path, question, asked, "nothing")


def test_a_record_waits_in_the_whole_store_for_another_writer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def open_whole() -> StateStore:
        asked.append("whole")
        writer.rollback()
        return whole(path)

    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        mail = SqliteMailState(path, open_whole)
        mail.record_sent(SENT)
        mail.record_sent(REFUSED)  # from now on by the whole store, as everything
        monkeypatch.setattr(sqlite_mail, "attempt", unopened)
        assert mail.revisions(limit=1)[0].serial == whole(path).revisions(limit=1)[0].serial
        mail.close()
    assert asked == ["whole"]
    assert {row[0] for row in rows(path)} >= {SENT.id, REFUSED.id}


def test_it_reads_every_column_of_a_revision() -> None:
    assert set(sqlite_reader.COLUMNS["revisions"]) == {
        item.name for item in tables.revisions.columns
    }
