"""Many mails at once at difficult servers: within the limits, and none delayed by another provider."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.connection.access import Access
from reconciler.connection.options import ProbeOptions
from reconciler.errors import AccountBusy, SendFailed
from reconciler.mail.dial import ConnectTo
from reconciler.mail.oauth import AuthlibTokens
from reconciler.model.connector import Connector, Security
from reconciler.model.protocol import Protocol
from reconciler.model.snapshot import Snapshot
from reconciler.routing.index import RoutingIndex
from reconciler.sending import pool as pool_module
from reconciler.sending.message import Prepared, Stamp
from reconciler.sending.pool import SessionPool
from reconciler.sending.prepare import SendRequest, prepare
from reconciler.values import replace
from tests.hostile.conftest import HOST, LETTER, Certificates, Passwords, connector_for
from tests.hostile.scripts import QUEUED, hold, smtp
from tests.hostile.server import HostileServer, Script

if TYPE_CHECKING:
    from tests.hostile.scripts import Answer
    from tests.hostile.server import Peer


@dataclass(slots=True)
class Gauge:
    """A server's script that counts simultaneous clients."""

    script: Script
    here: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, peer: Peer) -> None:
        with self.lock:
            self.here += 1
            self.most = max(self.most, self.here)
        try:
            self.script(peer)
        finally:
            with self.lock:
                self.here -= 1


@dataclass(slots=True)
class Clock:
    """A clock that a test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Stand:
    """A pool, and connectors at servers that follow scripts."""

    pool: SessionPool
    connectors: tuple[Connector, ...]
    servers: tuple[HostileServer, ...]

    def send(self, number: int = 0, **options: Any) -> str:
        """Send a mail through one of the connectors, and return the server's last reply."""
        connector = self.connectors[number]
        with self.pool.session(connector, **options) as session:
            session.connect(options.get("cancelled"))
            return session.send(mail_of(connector), lambda: None, options.get("cancelled")).reply


Make = Callable[..., Stand]


def mail_of(connector: Connector) -> Prepared:
    request = SendRequest(message=LETTER, actor="lead@hostile.example", connector=connector.name)
    stamp = Stamp("5eed", datetime(2026, 3, 1, 12, tzinfo=UTC))
    return prepare(request, RoutingIndex(Snapshot(connectors=(connector,))), stamp)


@pytest.fixture
def stand(serve: Callable[..., HostileServer], certificates: Certificates) -> Iterator[Make]:
    with ExitStack() as stack:

        def make(*scripts: Script, clock: Clock | None = None, **fields: Any) -> Stand:
            servers = tuple(serve(script, certificates.good) for script in scripts)
            places = [
                f"{HOST}:{4711 + number}=127.0.0.1:{server.port}"
                for number, server in enumerate(servers)
            ]
            options = ProbeOptions(
                timeout=20.0,
                connect_to=ConnectTo.parse(places),
                ca_file=str(certificates.ca_file),
            )
            secrets = Passwords()
            access = Access(secrets, AuthlibTokens(secrets), options)
            pool = SessionPool(access, clock=clock or time.monotonic)
            stack.callback(pool.close)
            connectors = []
            for number in range(len(scripts)):
                base = connector_for(Protocol.SMTP, Security.IMPLICIT, name=f"box-{number}")
                assert base.smtp is not None
                user = f"user-{number}@hostile.example"
                account = replace(base.smtp, port=4711 + number, username=user)
                connectors.append(replace(base, smtp=account, **fields))
            return Stand(pool, tuple(connectors), servers)

        yield make


def slowly(peer: Peer, _: str) -> None:
    """Take the text, and answer after a while."""
    peer.send("354 go ahead\r\n")
    while peer.line() != ".":
        pass
    time.sleep(0.02)
    peer.send("250 2.0.0 queued\r\n")


def eventually(true: Callable[[], bool]) -> bool:
    """Whether it becomes true; on an idle machine it soon does."""
    until = time.monotonic() + 20
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


def waits_for(event: threading.Event) -> Answer:
    """Answer MAIL once the test says so."""

    def answer(peer: Peer, _: str) -> None:
        event.wait(20)
        peer.send("250 2.1.0 ok\r\n")

    return answer


def test_an_account_keeps_its_connections_and_never_exceeds_its_limit(stand: Make) -> None:
    gauge = Gauge(smtp(DATA=slowly))
    office = stand(gauge, max_connections=3)
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: office.send(wait=60.0), range(24)))
    assert replies == ["250 2.0.0 queued"] * 24
    assert gauge.most == 3
    assert len(office.servers[0].peers) == 3
    (count,) = office.pool.counts()
    assert (count.open, count.busy, count.waiting) == (3, 0, 0)


def test_connectors_of_one_account_share_its_connections(stand: Make) -> None:
    gauge = Gauge(smtp(DATA=QUEUED))
    office = stand(gauge, max_connections=1)
    twin = replace(office.connectors[0], name="twin")
    pair = replace(office, connectors=(office.connectors[0], twin))
    for number in (0, 1, 0):
        pair.send(number)
        assert eventually(lambda: gauge.here <= 1)
    (count,) = office.pool.counts()
    assert (count.connectors, count.open) == (("box-0", "twin"), 1)
    assert len(office.servers[0].peers) == 3


def test_a_hanging_provider_delays_no_other_mail(stand: Make) -> None:
    office = stand(smtp(MAIL=hold), smtp(DATA=QUEUED), max_connections=1)
    called_off = threading.Event()
    with ThreadPoolExecutor(2) as threads:
        stuck = [threads.submit(office.send, 0, cancelled=called_off) for _ in range(2)]
        assert eventually(lambda: bool(office.servers[0].commands("MAIL")))
        for _ in range(3):
            assert office.send(1) == "250 2.0.0 queued"
        assert not any(future.done() for future in stuck)
        called_off.set()
        for future in stuck:
            failed = future.exception(timeout=20)
            assert isinstance(failed, SendFailed)
            assert failed.temporary
            assert "called off" in failed.message


def test_a_mail_that_waits_too_long_fails_temporarily_and_is_not_transmitted(
    stand: Make,
) -> None:
    through = threading.Event()
    office = stand(smtp(MAIL=waits_for(through), DATA=QUEUED), max_connections=1)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(office.send)
        assert eventually(lambda: bool(office.servers[0].commands("MAIL")))
        with pytest.raises(AccountBusy, match=r"hostile\.example \(box-0\) is busy") as caught:
            office.send(wait=0.05)
        assert caught.value.temporary
        assert (caught.value.code, caught.value.status) == ("", "4.4.5")
        assert len(office.servers[0].peers) == 1
        through.set()
        assert first.result(20) == "250 2.0.0 queued"
    assert office.send() == "250 2.0.0 queued"


def test_an_exhausted_rate_is_reported_at_once_and_ends_after_a_minute(stand: Make) -> None:
    clock = Clock()
    office = stand(smtp(DATA=QUEUED), clock=clock, mails_per_minute=2)
    office.send(wait=30.0)
    clock.now += 10
    office.send(wait=30.0)
    with pytest.raises(AccountBusy, match=r"takes 2 mails a minute.*room in 50 s"):
        office.send(wait=30.0)
    clock.now += 50
    office.send(wait=30.0)
    assert len(office.servers[0].commands("DATA")) == 3


def test_a_connector_that_was_changed_gets_a_new_connection_and_the_old_one_ends(
    stand: Make,
) -> None:
    gauge = Gauge(smtp(DATA=QUEUED))
    office = stand(gauge)
    office.send()
    changed = replace(office.connectors[0], ehlo_name="relay.hostile.example")
    replace(office, connectors=(changed,)).send()
    assert len(office.servers[0].peers) == 2
    assert "ehlo relay.hostile.example" in office.servers[0].peers[1].lines
    assert eventually(lambda: gauge.here == 1)
    assert "QUIT" in office.servers[0].peers[0].lines


def test_an_unused_connection_is_closed(stand: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LONGEST_IDLE", 0.04)
    gauge = Gauge(smtp(DATA=QUEUED))
    office = stand(gauge)
    for _ in range(2):  # the second time, too
        office.send()
        assert eventually(lambda: gauge.here == 0)
        assert eventually(lambda: office.pool.counts() == ())


def test_idle_connections_of_all_accounts_are_limited(
    stand: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_MOST_IDLE", 1)
    first, second = Gauge(smtp(DATA=QUEUED)), Gauge(smtp(DATA=QUEUED))
    office = stand(first, second)
    office.send(0)
    office.send(1)
    assert eventually(lambda: (first.here, second.here) == (0, 1))


def test_closing_waits_for_pending_mail_and_accepts_no_more(stand: Make) -> None:
    through = threading.Event()
    gauge = Gauge(smtp(MAIL=waits_for(through), DATA=QUEUED))
    office = stand(gauge, max_connections=1)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(office.send)
        assert eventually(lambda: bool(office.servers[0].commands("MAIL")))
        waiting = threads.submit(office.send)
        assert eventually(lambda: office.pool.counts()[0].waiting == 1)
        closing = threads.submit(office.pool.close, 20.0)
        failed = waiting.exception(timeout=20)
        assert isinstance(failed, SendFailed)
        assert failed.temporary
        with pytest.raises(SendFailed, match="closed"):
            office.send()
        assert not closing.done()
        through.set()
        closing.result(20)
        assert first.result(20) == "250 2.0.0 queued"
    assert eventually(lambda: gauge.here == 0)


def test_closing_waits_no_longer_than_the_limit(stand: Make) -> None:
    office = stand(smtp(MAIL=hold))
    called_off = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        stuck = threads.submit(office.send, cancelled=called_off)
        assert eventually(lambda: bool(office.servers[0].commands("MAIL")))
        office.pool.close(0.01)
        assert not stuck.done()
        called_off.set()
        assert isinstance(stuck.exception(timeout=20), SendFailed)
