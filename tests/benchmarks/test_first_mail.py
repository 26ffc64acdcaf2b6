"""What the first mail of a program costs with a small and a large state: only what concerns it is read.

The state is made by the store itself; what is measured is `sendmail` as a program, from its start to its end, and the first
mail of a ``Mailer``.
"""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from reconciler import Mailer, Message
from reconciler.plan.changes import Create
from reconciler.state.base import Commit
from reconciler.state.sql.store import open_store
from tests.benchmarks.measure import RECONCILER, Server, compared
from tests.benchmarks.test_routing import LARGE, SMALL, Size
from tests.servers.loopback import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.conftest import Tell

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

MAIL: Final = b"From: box-00042@contoso.example\nTo: ada@x.example\nSubject: Order\n\nShipped.\n"
MAILERS: Final = 5


@pytest.fixture
def port(certificates: tuple[Path, Path]) -> Iterator[int]:
    with Server("submission", 1, certificates[0]) as server:
        yield server.ports[0]


def state_of(size: Size, folder: Path) -> str:
    """Apply a state of this size, and return its URL."""
    url = f"sqlite:///{folder}/{size.connectors}/state.db"
    store = open_store(url)
    commit = Commit(
        expected_lineage="",
        expected_serial=0,
        changes=tuple(map(Create, size.snapshot.resources)),
        at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        actor="lead@contoso.example",
        actor_source="--actor",
        git_commit="",
        tool_version="",
        plan_digest="",
    )
    with store.lock(holder="lead", operation="apply") as lock:
        store.commit(commit, token=lock.lease.token)
    store.close()
    return url


@pytest.fixture
def environs(
    tmp_path: Path, port: int, certificates: tuple[Path, Path]
) -> tuple[dict[str, str], dict[str, str]]:
    """What is in force with the large state, and with the small one."""
    (tmp_path / "connectors.d").mkdir()
    common = {
        "RECONCILER_CONFIG": str(tmp_path / "connectors.d"),
        "RECONCILER_ACTOR": "user-7@contoso.example",
        "RECONCILER_CONNECT_TO": f"smtp.bench.example:465={LOOPBACK}:{port}",
        "RECONCILER_CA_FILE": str(certificates[1]),
        "PASSWORD": "correct horse battery",
    }
    large, small = (
        common | {"RECONCILER_STATE": state_of(size, tmp_path)} for size in (LARGE, SMALL)
    )
    return large, small


def sendmail(environ: dict[str, str], folder: Path) -> float:
    """Seconds of CPU of one `sendmail`."""
    with subprocess.Popen(
        (RECONCILER, "sendmail", "-t"),
        cwd=folder,
        env=os.environ | environ,
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(MAIL)
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def first_mails(environ: dict[str, str]) -> float:
    """Seconds of CPU of mailers that are opened for one mail each."""
    started = time.process_time()
    for number in range(MAILERS):
        with Mailer.open(environ=environ) as mailer:
            message = Message(to=("ada@x.example",), subject=f"Order {number}", text="Shipped.\n")
            mailer.send(message, sender=f"box-000{number:02}@contoso.example")
    return time.process_time() - started


def test_one_sendmail_at_ten_thousand_connectors_costs_what_it_costs_at_a_hundred(
    environs: tuple[dict[str, str], dict[str, str]], tmp_path: Path, tell: Tell
) -> None:
    large, small = environs
    ratio = compared(lambda: sendmail(large, tmp_path), lambda: sendmail(small, tmp_path))
    tell(
        f"CPU of a `sendmail` at {LARGE.connectors:,} connectors and a group of {LARGE.members:,},"
        f" against {SMALL.connectors} and {SMALL.members}: {ratio}"
    )
    assert ratio.median <= 1.15


def test_the_first_mail_of_a_mailer_costs_the_same_however_much_is_stored(
    environs: tuple[dict[str, str], dict[str, str]], tell: Tell
) -> None:
    large, small = environs
    first_mails(small)  # which imports what sending needs
    ratio = compared(lambda: first_mails(large), lambda: first_mails(small))
    tell(f"CPU of the first mail of a Mailer, likewise: {ratio}")
    assert ratio.median <= 1.25
