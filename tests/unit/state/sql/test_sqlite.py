"""The state file: what creates it, what it is, and what is wrong with it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateCorrupt, StateError, StateLocked, StateTooNew, StateUnavailable
from reconciler.model.directory import Group
from reconciler.plan.changes import Create
from reconciler.state import sqlite_file
from reconciler.state.base import Revision
from reconciler.state.sql import sqlite
from reconciler.state.sql.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Apply = Callable[..., Revision]
TEAM = Create(Group(name="team"))


def read_everything(url: str) -> None:
    store = open_store(url)
    store.load()
    store.revisions()


def test_reading_leaves_nothing_behind(url: str, path: Path) -> None:
    store = open_store(url)
    assert store.load().serial == 0
    assert store.lease() is None
    store.record_tests((), serial=0)
    assert not path.parent.exists()


def test_the_file_and_its_folder_are_only_for_their_owner(
    url: str, path: Path, apply: Apply
) -> None:
    old = os.umask(0)
    try:
        apply(open_store(url), TEAM)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(item.name for item in path.parent.iterdir()) == [".gitignore", "state.db"]


def test_nothing_but_the_file_stays_after_reading_and_writing(
    url: str, path: Path, apply: Apply
) -> None:
    store = open_store(url)
    apply(store, TEAM)
    open_store(url, read_only=True).load()
    store.load()
    assert sorted(item.name for item in path.parent.iterdir()) == [".gitignore", "state.db"]


def test_the_file_is_durable_and_checked(url: str, path: Path, apply: Apply) -> None:
    apply(open_store(url), TEAM)
    with closing(sqlite_file.open_to_write(path)) as raw:
        values = {
            name: raw.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


@pytest.mark.parametrize("name", ["state with space.db", "état%20#?.db"])
def test_any_file_name_works(tmp_path: Path, apply: Apply, name: str) -> None:
    store = open_store(f"sqlite:///{tmp_path}/{name.replace('?', '')}")
    apply(store, TEAM)
    assert store.load().serial == 1


def test_a_symbolic_link_is_followed_to_the_file(tmp_path: Path, apply: Apply) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    apply(open_store(f"sqlite:///{tmp_path}/link.db"), TEAM)
    assert open_store(f"sqlite:///{tmp_path}/real.db").load().serial == 1
    assert (tmp_path / "link.db").is_symlink()


def test_many_may_create_it_at_once(url: str, path: Path) -> None:
    barrier = threading.Barrier(6)
    tokens: list[str] = []
    refused: list[StateError] = []

    def start(number: int) -> None:
        store = open_store(url)
        barrier.wait()
        try:
            tokens.append(store.lock(holder=f"w{number}", operation="apply").lease.token)
        except StateLocked as error:
            refused.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(tokens) == 1
    assert len(refused) == 5
    lease = open_store(url).lease()
    assert lease is not None
    assert lease.token == tokens[0]
    assert sorted(item.name for item in path.parent.iterdir()) == [".gitignore", "state.db"]


def test_read_only_writes_nothing(url: str, apply: Apply) -> None:
    store = open_store(url, read_only=True)
    with pytest.raises(StateUnavailable, match="reading only"):
        store.lock(holder="alice", operation="apply")
    apply(open_store(url), TEAM)
    assert store.load().serial == 1
    with pytest.raises(StateUnavailable, match="reading only"):
        store.unlock("x")
    with pytest.raises(StateUnavailable, match="reading only"):
        store.record_tests((), serial=1)


@pytest.fixture
def private() -> Iterator[None]:
    """Files that a test writes are its user's alone, as those of a state are."""
    before = os.umask(0o077)
    yield
    os.umask(before)


# --- what is wrong with it ------------------------------------------------------------------------


def test_a_folder_is_not_a_state(url: str, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StateUnavailable, match="is a folder") as caught:
        read_everything(url)
    assert "names a file" in caught.value.hint


def test_a_pipe_is_not_a_state_and_does_not_block(url: str, path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(StateUnavailable, match="no ordinary file"):
        read_everything(url)


def test_a_file_in_place_of_the_folder_is_named(url: str, path: Path) -> None:
    path.parent.write_text("")
    with pytest.raises(StateUnavailable, match="a file where a folder should be") as caught:
        read_everything(url)
    assert caught.value.hint


@pytest.mark.usefixtures("private")
@pytest.mark.parametrize(
    "content", [b"\x93\x17" * 4000, b"x", b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_random_bytes_are_not_a_state(url: str, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    for use in (read_everything, lambda url: open_store(url).lock(holder="a", operation="b")):
        with pytest.raises(StateCorrupt, match=r"state\.db") as caught:
            use(url)
        assert caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.usefixtures("private")
def test_an_empty_file_is_not_taken_for_an_empty_state(url: str, path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    for use in (read_everything, lambda url: open_store(url).lock(holder="a", operation="b")):
        with pytest.raises(StateCorrupt, match="is empty") as caught:
            use(url)
        assert "restore it from a backup" in caught.value.hint
    assert path.read_bytes() == b""


@pytest.mark.usefixtures("private")
def test_another_program_s_database_is_left_alone(url: str, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE bookmarks (x)")
    before = path.read_bytes()
    for use in (read_everything, lambda url: open_store(url).lock(holder="a", operation="b")):
        with pytest.raises(StateCorrupt, match="holds no state"):
            use(url)
    assert path.read_bytes() == before


@pytest.mark.usefixtures("private")
def test_another_program_s_migrations_are_not_ours(url: str, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("CREATE TABLE alembic_version (version_num)")
        raw.execute("INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    with pytest.raises(StateCorrupt, match="ae1027a6acf"):
        read_everything(url)


def test_every_truncation_is_found(url: str, path: Path, apply: Apply) -> None:
    apply(open_store(url), *(Create(Group(name=f"g{number}")) for number in range(200)))
    whole = path.read_bytes()
    for size in range(1, len(whole), len(whole) // 25):
        path.write_bytes(whole[:size])
        with pytest.raises(StateCorrupt):
            read_everything(url)
    path.write_bytes(whole)
    assert len(open_store(url).load().resources) == 200


def test_a_damaged_page_is_an_error_or_makes_no_difference(
    url: str, path: Path, apply: Apply
) -> None:
    apply(open_store(url), *(Create(Group(name=f"g{number}")) for number in range(200)))
    whole = path.read_bytes()
    expected = open_store(url).load().snapshot
    found = 0
    for start in range(0, len(whole), 4096):
        path.write_bytes(whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :])
        try:
            assert open_store(url).load().snapshot == expected
        except StateCorrupt:
            found += 1
    assert found >= 5


def test_one_flipped_bit_in_a_specification_is_found(url: str, path: Path, apply: Apply) -> None:
    apply(open_store(url), TEAM)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE resources SET spec = replace(spec, '[]', '[\"eve\"]')")
    with pytest.raises(StateCorrupt, match=r"Group\.team does not match its digest"):
        read_everything(url)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM meta",
        "DROP TABLE tests",
        "UPDATE resources SET created_at = 'noon'",
        "UPDATE resources SET created_at = x'00'",
        "UPDATE resources SET kind = 'Teapot'",
        "UPDATE revisions SET at = 'noon'",
        "ALTER TABLE resources DROP COLUMN modified_by",
    ],
)
def test_missing_or_invalid_values_are_corrupt(
    url: str, path: Path, apply: Apply, damage: str
) -> None:
    apply(open_store(url), TEAM)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute(damage)
    with pytest.raises(StateCorrupt) as caught:
        read_everything(url)
    assert caught.value.hint


def test_a_newer_state_is_refused_and_left_alone(url: str, path: Path, apply: Apply) -> None:
    apply(open_store(url), TEAM)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0999'")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    for use in (read_everything, lambda url: open_store(url).lock(holder="a", operation="b")):
        with pytest.raises(StateTooNew, match="newer release") as caught:
            use(url)
        assert "upgrade" in caught.value.hint
    assert path.read_bytes() == before


def test_a_writer_that_does_not_finish_is_not_waited_for_forever(
    url: str, path: Path, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY_SECONDS", 0.05)
    store = open_store(url)
    apply(store, TEAM)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        assert store.load().serial == 1
        with pytest.raises(StateLocked, match="another process") as caught:
            store.lock(holder="alice", operation="apply", wait=timedelta(milliseconds=100))
        assert "fuser" in caught.value.hint
        raw.execute("ROLLBACK")
    apply(store, Create(Group(name="other")))


def test_a_state_that_may_not_grow_rejects_a_write_and_stays_unchanged(
    url: str, path: Path, disk: Path, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(url)
    apply(store, TEAM)
    before = store.load()
    original = sqlite_file.open_to_write

    def full(path: Path, how: str = "mode=rw") -> sqlite3.Connection:
        connection = original(path, how)
        connection.execute("PRAGMA max_page_count = 1")  # means: the pages that it has
        return connection

    monkeypatch.setattr(sqlite, "open_to_write", full)
    small = open_store(url)
    with pytest.raises(StateUnavailable, match=f"the disk at {disk} is full") as caught:
        apply(small, *(Create(Group(name=f"g{number}")) for number in range(500)))
    assert "Free some space" in caught.value.hint
    assert store.load() == before
    assert store.lease() is None
