"""What is PostgreSQL's alone: its schema, its rights, and being out of reach."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import StateCorrupt, StateError, StateLocked, StateUnavailable, UsageError
from reconciler.model.directory import Group
from reconciler.plan.changes import Create
from reconciler.state.sql.store import open_store
from tests.contract.test_store_sending import SENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from reconciler.state.base import Revision

TEAM = Create(Group(name="team"))


@pytest.fixture
def url(postgresql_url: str) -> str:
    execute(postgresql_url, "DROP SCHEMA IF EXISTS reconciler CASCADE")
    return postgresql_url


def execute(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(statement)


@pytest.mark.server
def test_reading_creates_nothing(url: str) -> None:
    store = open_store(url)
    assert store.load().serial == 0
    store.record_tests((), serial=0)
    import psycopg

    with psycopg.connect(url) as connection:
        query = "SELECT count(*) FROM pg_namespace WHERE nspname = 'reconciler'"
        assert connection.execute(query).fetchone() == (0,)


@pytest.mark.server
def test_all_tables_are_in_a_schema_of_their_own(url: str, apply: Callable[..., Revision]) -> None:
    apply(open_store(url), TEAM)
    import psycopg

    with psycopg.connect(url) as connection:
        query = "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('meta', 'lock')"
        assert connection.execute(query).fetchall() == [("reconciler",)]


@pytest.mark.server
def test_many_may_create_it_at_once(url: str) -> None:
    barrier = threading.Barrier(4)
    outcomes: list[str] = []

    def start(number: int) -> None:
        barrier.wait(30)
        try:
            open_store(url).lock(holder=f"w{number}", operation="apply")
            outcomes.append("taken")
        except StateError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["StateLocked"] * 3 + ["taken"]


@pytest.fixture
def reader(url: str) -> Iterator[str]:
    execute(url, "CREATE ROLE reader LOGIN")
    try:
        yield url.replace("tester@", "reader@")
    finally:
        execute(url, "DROP OWNED BY reader; DROP ROLE reader")


@pytest.mark.server
def test_grants_on_the_schema_decide_who_reads_and_writes(
    url: str, reader: str, apply: Callable[..., Revision]
) -> None:
    apply(open_store(url), TEAM)
    with pytest.raises(StateUnavailable, match="does not let this user"):
        open_store(reader).load()
    execute(
        url,
        "GRANT USAGE ON SCHEMA reconciler TO reader;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA reconciler TO reader",
    )
    assert open_store(reader).load().serial == 1
    with pytest.raises(StateUnavailable, match="does not let this user") as caught:
        open_store(reader).lock(holder="reader", operation="apply")
    assert "grant" in caught.value.hint


@pytest.mark.server
def test_sending_needs_only_the_rights_to_read_and_to_add_to_the_log(
    url: str, reader: str, apply: Callable[..., Revision]
) -> None:
    apply(open_store(url), TEAM)
    execute(
        url,
        "GRANT USAGE ON SCHEMA reconciler TO reader;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA reconciler TO reader;"
        "GRANT INSERT ON reconciler.sent TO reader",
    )
    store = open_store(reader)
    store.record_sent(SENT)
    assert store.sent() == (SENT,)
    with pytest.raises(StateUnavailable, match="does not let this user"):
        store.forget_sent(SENT.at + timedelta(days=1))
    with pytest.raises(StateUnavailable, match="does not let this user"):
        store.lock(holder="reader", operation="apply")


@pytest.mark.server
def test_tables_that_are_missing_are_corrupt(url: str, apply: Callable[..., Revision]) -> None:
    apply(open_store(url), TEAM)
    execute(url, "DROP TABLE reconciler.tests")
    with pytest.raises(StateCorrupt):
        open_store(url).load()


@pytest.mark.server
def test_a_transaction_that_does_not_finish_is_not_waited_for_forever(
    url: str, apply: Callable[..., Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    from reconciler.state.sql import postgresql

    monkeypatch.setattr(postgresql, "_BUSY_SECONDS", 1)
    apply(open_store(url), TEAM)
    with psycopg.connect(url) as connection:
        connection.execute("SELECT * FROM reconciler.lock FOR UPDATE")
        with pytest.raises(StateLocked, match="another transaction"):
            open_store(url).lock(holder="alice", operation="apply")


@pytest.mark.server
def test_a_writer_that_stalls_in_its_transaction_is_cut_off(
    url: str, apply: Callable[..., Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.state.sql import leases, postgresql
    from tests.servers.loopback import wait_until

    monkeypatch.setattr(postgresql, "_IDLE_SECONDS", 1)
    store: Any = open_store(url)
    apply(store, TEAM)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'"

    def stand_still() -> None:
        with store._database.transaction() as transaction:
            leases.renew(transaction, "nobody's")
            wait_until(lambda: not rows(url, waiting), "the server cuts it off", seconds=30)
            with open_store(url).lock(holder="bob", operation="apply"):
                pass
            leases.release(transaction, "nobody's")

    with pytest.raises(StateUnavailable, match="dropped the connection"):
        stand_still()
    assert store.load().serial == 1


@pytest.mark.server
def test_the_clock_of_a_writer_does_not_matter(
    url: str, apply: Callable[..., Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    from reconciler.state import lease
    from reconciler.state.sql import postgresql, reading

    apply(open_store(url), TEAM)
    for jump in (timedelta(hours=-1), timedelta(hours=1)):

        class Jumped(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Jumped:
                return super().now(tz) + jump  # noqa: B023 - called in this turn only

        for module in (lease, postgresql, reading):
            monkeypatch.setattr(module, "datetime", Jumped, raising=False)
        with open_store(url).lock(holder="alice", operation="apply") as lock:
            assert abs(lock.lease.since - datetime.now(UTC)) < timedelta(minutes=30)
            with pytest.raises(StateLocked, match="alice"):
                open_store(url).lock(holder="bob", operation="apply")


def rows(url: str, query: str) -> list[Any]:
    import psycopg

    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_an_unreachable_server_is_unavailable_and_no_password_is_shown() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    store = open_store("postgresql://team:hunter2@/mail?host=/nonexistent")
    for use in (store.load, lambda: store.lock(holder="a", operation="b")):
        with pytest.raises(StateUnavailable, match="cannot be reached") as caught:
            use()
        error: Any = caught.value
        assert "hunter2" not in f"{error} {error.hint} {error.__cause__!r}"
        assert error.__suppress_context__


def test_the_lack_of_a_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StateUnavailable, match="needs psycopg") as caught:
        open_store("postgresql://db.example/mail")
    assert "pip install" in caught.value.hint


def test_a_url_that_no_driver_reads_is_a_usage_error_and_not_repeated() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(UsageError) as caught:
        open_store("postgresql://team:hunter2@host:99999999/mail")
    assert "hunter2" not in f"{caught.value}"
