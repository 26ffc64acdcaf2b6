"""A queue, two gateways that are killed again and again, and real servers that want a token: is anything lost?

pytest -m benchmark tests/benchmarks/test_gateway.py --mails 100000
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.benchmarks.cpu import of_tree
from tests.benchmarks.flow import (
    SENDERS,
    STRAIGHT,
    Commits,
    Logged,
    QueueLog,
    arrived,
    pour,
    wait_for_all,
)
from tests.benchmarks.killed_gateways import KilledGateways
from tests.benchmarks.measure import Server
from tests.servers.accounts import SUPPORT
from tests.servers.authorisation import ENDPOINT, OWN, SECRET
from tests.servers.dovecot import Dovecot
from tests.servers.loopback import LOOPBACK
from tests.servers.postfix import Postfix
from tests.servers.postgresql import Postgresql
from tests.servers.queueing import QueueingPostfix, queueing
from tests.servers.site import SMTP
from tests.servers.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.conftest import Tell
    from tests.servers.accounts import Account
    from tests.servers.authorisation import AuthorisationServer

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(4 * 3600)]

PASSWORD: Final = "Qm7-tall-9zW-fern-03"
BETWEEN_KILLS: Final = 10.0
"""Seconds."""
BESIDE: Final = 4
"""One mail in so many goes straight too: half of them before, half after."""
APPLICATION: Final = """\
kind: Application
name: queue
user: queue@contoso.example
password: env:QUEUE_PASSWORD
"""
POLICY: Final = "kind: GlobalSmtpPolicy\nenabled: true\nconnector: support\n"


def connector(account: Account, connections: int) -> str:
    return f"""\
kind: EmailConnector
name: {account.name}
enable_mail_send_from: true
smtp:
  server: {SMTP}
  port: 465
  use_ssl: true
  email_address: {account.username}
  use_same_credentials: false
  username: {account.username}
  oauth2: {{grant: client_credentials, client_id: {OWN[account].client_id}, client_secret: env:CLIENT_SECRET,
    token_endpoint: "{ENDPOINT}", scopes: [mail]}}
max_connections: {connections}
"""


@dataclass(frozen=True, slots=True)
class Stand:
    """All the servers, with the gateways' state applied."""

    workplace: Workplace
    dovecot: Dovecot
    postfix: Postfix
    postgresql: Postgresql
    gateways: KilledGateways
    queue: QueueingPostfix
    handovers: Path

    def apply(self, *more: str) -> None:
        """Apply the connectors, and a policy."""
        everybody = (*(connector(item, 4) for item in SENDERS), connector(SUPPORT, 20))
        self.workplace.write(*everybody, APPLICATION, *more)
        done = self.workplace.start(
            "apply", "--auto-approve", "--allow-policy-change", "--skip-tests", "measured"
        )
        assert done.status == 0, done.said

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each part has taken."""
        return {
            "gateways": self.gateways.cpu,
            "PostgreSQL": of_tree(self.postgresql.pid),
            "queue": of_tree(self.queue.pid),
            "servers behind": of_tree(self.postfix.pid) + of_tree(self.dovecot.pid),
        }

    def handed_over(self) -> list[tuple[float, str]]:
        """When the server behind was asked to take the text of a mail, and by which account."""
        rows = (line.split() for line in self.handovers.read_text().splitlines())
        return [(float(at), account) for at, account in rows]


@pytest.fixture
def stand(
    workplace: Workplace,
    authorisation: AuthorisationServer,
    dovecot: Dovecot,
    postfix: Postfix,
    postgresql: Postgresql,
    tmp_path: Path,
) -> Iterator[Stand]:
    postgresql.clear()
    workplace.environ |= {
        "CLIENT_SECRET": SECRET, "QUEUE_PASSWORD": PASSWORD, "RECONCILER_STATE": postgresql.url,
    }  # fmt: skip
    workplace.environ["RECONCILER_CONNECT_TO"] += f" {authorisation.connect_to}"
    handovers = tmp_path / "handovers"
    backend = next(
        port for door, port in postfix.ports.items() if (door.host, door.port) == (SMTP, 587)
    )
    gateways = KilledGateways(workplace, tmp_path, 2, BETWEEN_KILLS)
    with (
        Server("handovers", 1, handovers) as observer,
        queueing(
            postfix.folder.parent / "flow", gateways.ports, "queue", PASSWORD,
            straight=(backend, STRAIGHT.username, STRAIGHT.password),
        ) as queue,
    ):  # fmt: skip
        postfix.configure(
            f"smtpd_data_restrictions=check_policy_service inet:{LOOPBACK}:{observer.ports[0]}"
        )
        stand = Stand(workplace, dovecot, postfix, postgresql, gateways, queue, handovers)
        stand.apply()
        with gateways:
            yield stand
    postgresql.clear()


def taken(begun: dict[str, float], ended: dict[str, float], mails: int) -> str:
    """Report what each part took per mail."""
    parts = {part: (ended[part] - begun[part]) / mails * 1000 for part in ended}
    named = ", ".join(f"{part} {each:.1f}" for part, each in parts.items() if each >= 0.05)
    return f"{sum(parts.values()):.1f} ms of CPU for each mail ({named})"


def test_no_mail_is_lost_when_gateways_are_killed_and_a_policy_counts_within_a_second(
    stand: Stand, request: pytest.FixtureRequest, tell: Tell
) -> None:
    mails: int = request.config.getoption("--mails")
    beside = max(mails // BESIDE, 2)
    queue, gateways = stand.queue, stand.gateways
    applied: list[float] = []

    with QueueLog(queue.log) as log, Commits(stand.postgresql.url, 2) as commit:
        idle = stand.cpu()
        first = pour(queue.straight, "straight", range(beside // 2), log, author=STRAIGHT)
        wait_for_all(lambda: stand.postfix.queued == 0)

        def apply_policy() -> None:
            half = log.sent + mails // 2
            while log.sent < half:
                time.sleep(0.02)
            stand.apply(POLICY)
            applied.append(time.time())

        before = stand.cpu()
        applying = threading.Thread(target=apply_policy)
        applying.start()
        gateways.begin()
        seconds = pour(queue.port, "flow", range(mails), log)
        gateways.spare()
        wait_for_all(lambda: stand.postfix.queued == 0)
        after = stand.cpu()
        applying.join()
        second = pour(queue.straight, "straight", range(beside // 2, beside), log, author=STRAIGHT)
        wait_for_all(lambda: stand.postfix.queued == 0)
        assert log.bounced == 0

    assert gateways.problems == []
    copies, logged = arrived(stand.dovecot, "flow"), Logged.of(stand.workplace)
    lost = mails - len(copies)
    duplicates = copies.total() - len(copies)
    uncertain = logged.total("uncertain")
    unlogged = [
        mail for mail, count in copies.items()
        if count > logged.by_mail[mail]["sent"] + logged.by_mail[mail]["uncertain"]
    ]  # fmt: skip
    old = {sender.username for sender in SENDERS}
    late = max(at - commit.at for at, account in stand.handed_over() if account in old)

    rate, straight = mails / seconds, beside / (first + second)
    tell(
        f"{mails} mails through a queue and two gateways, one killed with -9 every {BETWEEN_KILLS:.0f} s"
        f" ({gateways.kills} times): {lost} lost, {duplicates} delivered twice; {uncertain} rows uncertain"
    )
    tell(
        f"{rate:.1f} mails a second, against {straight:.1f} that the queue hands straight to the same server;"
        f" {rate / straight:.2f} of it"
    )
    tell(
        f"the last mail by the old policy: {late * 1000:.0f} ms after the commit, and the apply ended"
        f" {(applied[0] - commit.at) * 1000:.0f} ms after it"
    )

    tell(f"through the gateways {taken(before, after, mails)}")
    tell(f"straight {taken(idle, before, beside // 2)}")
    tell(
        f"a start of a gateway: {gateways.start_cpu:.2f} s of CPU; its memory at the most:"
        f" {gateways.memory / 1e6:.0f} MB"
    )
    problems = gateways.log()
    assert lost == 0
    assert duplicates <= uncertain
    assert unlogged == []
    assert [mail for mail, rows in logged.by_mail.items() if rows["sent"] > 1] == []
    assert late <= 1.0
    assert '"event": "fault"' not in problems, problems
