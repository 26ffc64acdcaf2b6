"""What a connector, a connection and a row of the log cost: the constants of docs/scaling.md.

pytest -m benchmark tests/benchmarks/test_capacity.py --connectors 10000
"""

from __future__ import annotations

import os
import smtplib
import ssl
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from reconciler.app.audit import fresh_id
from reconciler.model.sending import FINAL, SendingRecord, SendingResult
from reconciler.state.sql.store import open_store
from reconciler.values import replace
from tests.benchmarks.cpu import memory_of, of_tree
from tests.benchmarks.large import fill, write_documents
from tests.benchmarks.measure import RECONCILER
from tests.servers.loopback import LOOPBACK, free_port, greets, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.conftest import Tell
    from tests.servers.postgresql import Postgresql

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(4 * 3600)]

PASSWORD: Final = "Qm7-tall-9zW-fern-03"
APPLICATION: Final = (
    "kind: Application\nname: queue\nuser: queue@contoso.example\npassword: env:QUEUE_PASSWORD\n"
)
GROUPS: Final = 100
"""Of the documents that :func:`write_documents` writes; the others are connectors and their permissions."""
STEP: Final = 10_000
"""Connectors of one step of the first apply, as docs/scaling.md recommends: those of one first digit."""
IDLE: Final = 200
"""Connections."""
ROWS: Final = 5000


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command took: its CPU and the database's in seconds, its peak memory in bytes, and its time."""

    own: float
    database: float
    memory: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.own:.1f} s of CPU, PostgreSQL {self.database:.1f} s, {self.memory / 1e6:.0f} MB"
            f" ({self.seconds:.0f} s on this machine)"
        )

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.own + other.own,
            self.database + other.database,
            max(self.memory, other.memory),
            self.seconds + other.seconds,
        )


class Project:
    """A folder with so many connectors, and commands in it, measured."""

    def __init__(self, folder: Path, connectors: int, database: Postgresql) -> None:
        self.folder = folder
        self.documents = folder / "connectors.d"
        write_documents(self.documents, 2 * connectors + GROUPS)
        (self.documents / "applications.yaml").write_text(APPLICATION)
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8",
            "RECONCILER_STATE": database.url, "RECONCILER_ACTOR": "root@contoso.example",
            "RECONCILER_ALLOW_CREDENTIAL": "*", "QUEUE_PASSWORD": PASSWORD,
        }  # fmt: skip
        self._database = database

    def measured(self, *arguments: str) -> Taken:
        """Run a command, and return what it took."""
        before, started = of_tree(self._database.pid), time.monotonic()
        with subprocess.Popen(
            (RECONCILER, *arguments), cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, arguments
        return Taken(
            own=usage.ru_utime + usage.ru_stime,
            database=of_tree(self._database.pid) - before,
            memory=usage.ru_maxrss * 1000,
            seconds=time.monotonic() - started,
        )

    @contextmanager
    def gateway(self, *options: str) -> Iterator[tuple[int, int]]:
        """Run a gateway: its number, and its port without TLS."""
        port = free_port()
        with subprocess.Popen(
            (RECONCILER, "gateway", "--plain", f"{LOOPBACK}:{port}", "--status", "none", *options),
            cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            wait_until(lambda: greets(port, b"220 "), "the gateway greets", seconds=600)
            time.sleep(1)
            yield process.pid, port
            process.terminate()


@pytest.fixture
def clean(postgresql: Postgresql) -> Iterator[Postgresql]:
    postgresql.clear()
    yield postgresql
    postgresql.clear()


def test_what_a_connector_costs(
    clean: Postgresql, tmp_path: Path, request: pytest.FixtureRequest, tell: Tell
) -> None:
    many: int = request.config.getoption("--connectors")
    for connectors in (many // 10, many):
        clean.clear()
        project = Project(tmp_path / str(connectors), connectors, clean)
        unattended = ("--auto-approve", "--skip-tests", "measured")
        steps = [
            project.measured("apply", *unattended, "--only", f"c-{number}*")
            for number in range(-(-connectors // STEP))
        ]
        rest = project.measured("apply", *unattended)
        tell(
            f"{connectors} connectors: first apply, in {len(steps)} steps: {reduce(add, steps)}; the largest:"
            f" {max(steps, key=lambda step: step.own)}; the rest, an application: {rest}"
        )
        tell(f"{connectors} connectors: plan of no change: {project.measured('plan')}")
        changed = project.documents / "c-00000.yaml"
        changed.write_text(changed.read_text().replace("Connector 0", "Changed"))
        taken = project.measured("apply", *unattended, "--actor", "user-0@contoso.example")
        tell(f"{connectors} connectors: apply of one change: {taken}")


def test_what_a_gateway_remembers(
    clean: Postgresql, tmp_path: Path, request: pytest.FixtureRequest, tell: Tell
) -> None:
    many: int = request.config.getoption("--connectors")
    project = Project(tmp_path, 0, clean)
    memory: list[int] = []
    for connectors in (many // 10, many):
        clean.clear()
        fill(clean.url, connectors, 1)
        with project.gateway() as (pid, _):
            memory.append(memory_of(pid))
            tell(
                f"{connectors} connectors: a gateway starts in {of_tree(pid):.1f} s of CPU, and takes"
                f" {memory[-1] / 1e6:.0f} MB"
            )
    each = (memory[1] - memory[0]) / (many - many // 10)
    tell(f"memory of a gateway for each connector: {each / 1000:.1f} kB")
    assert memory[1] <= 11 * memory[0]


def test_what_a_connection_costs(
    clean: Postgresql, tmp_path: Path, certificates: tuple[Path, Path], tell: Tell
) -> None:
    project = Project(tmp_path, 10, clean)
    project.measured("apply", "--auto-approve", "--skip-tests", "measured")
    tls, context = free_port(), ssl.create_default_context(cafile=str(certificates[1]))
    context.check_hostname = False
    found: list[float] = []
    options = (
        "--tls", f"{LOOPBACK}:{tls}", "--certificate", str(certificates[0]), "--connections", "10000",
    )  # fmt: skip
    with project.gateway(*options) as (pid, port), ExitStack() as clients:
        for encrypted in (False, True):
            for kept in (False, True):  # the first ones pay for what all have in common
                before, cpu = memory_of(pid), of_tree(pid)
                for _ in range(IDLE if kept else 10):
                    client = (
                        smtplib.SMTP_SSL(LOOPBACK, tls, context=context)
                        if encrypted
                        else smtplib.SMTP(LOOPBACK, port)
                    )
                    clients.callback(client.close)
                    client.login("queue", PASSWORD)
                if kept:
                    found.append((memory_of(pid) - before) / IDLE)
                    how = "with TLS" if encrypted else "without TLS"
                    seconds = (of_tree(pid) - cpu) / IDLE
                    tell(
                        f"an idle connection {how} that has signed in: {found[-1] / 1000:.0f} kB, and"
                        f" {seconds * 1000:.0f} ms of CPU to make it"
                    )
    assert max(found) < 1_000_000


def test_what_a_row_of_the_log_costs(clean: Postgresql, tmp_path: Path, tell: Tell) -> None:
    project = Project(tmp_path, 10, clean)
    project.measured("apply", "--auto-approve", "--skip-tests", "measured")
    old = datetime.now(UTC).replace(microsecond=0) - timedelta(days=500)
    store = open_store(clean.url)
    started, before = time.process_time(), of_tree(clean.pid)
    try:
        for number in range(ROWS):
            known = SendingRecord(
                id=fresh_id(), at=old + timedelta(seconds=number), actor="queue@contoso.example",
                actor_source="gateway", result=SendingResult.UNCERTAIN, connector="c-00000",
                host="smtp.office365.com", message_id=f"<{fresh_id()}-{number}@contoso.example>",
                sender="c-00000@contoso.example", from_address="c-00000@contoso.example", recipients=1,
                size=1500, sentence="it was being handed over, and nothing more is known",
                application="queue", reason="sender",
            )  # fmt: skip
            store.record_sent(known)
            store.record_sent(
                replace(
                    known, id=f"{known.id}{FINAL}", result=SendingResult.SENT, accepted=1, code=250,
                    sentence="", copy="skipped",
                )
            )  # fmt: skip
    finally:
        store.close()
    own, database = time.process_time() - started, of_tree(clean.pid) - before
    with psycopg.connect(clean.url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_total_relation_size('reconciler.sent')").fetchone()
    assert row is not None
    pruned = project.measured("log", "--prune", "400d", "--yes")
    tell(
        f"the log of a mail: {row[0] / ROWS:.0f} octets in PostgreSQL, {own / ROWS * 1000:.1f} ms of CPU and"
        f" {database / ROWS * 1000:.1f} ms in PostgreSQL; pruning {ROWS} mails: {pruned}"
    )
    assert row[0] / ROWS < 3000
