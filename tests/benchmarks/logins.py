"""Signs in to Dovecot again and again, by our tests or by a bare loop of imapclient, and says how long it took.

    python -m tests.benchmarks.logins probe|bare login|mailbox PORT CA_FILE COUNT THREADS

The bare loop has as many threads and one TLS context that verifies for all of them, as the tests have; it
hangs up without a LOGOUT.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient

from reconciler.connection.failure import Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.mail.tls import shared_context
from reconciler.probe.runner import run
from reconciler.secrets.registry import Resolver
from tests.servers.accounts import ACCOUNTS, Account
from tests.servers.loopback import LOOPBACK
from tests.servers.site import IMAP, connector_for, reads

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = tuple(account for account in ACCOUNTS if account.name.startswith("user-"))


def by_tests(depth: Stage, port: int, ca_file: str, count: int, threads: int) -> None:
    """Test connectors of these accounts in turn, down to a stage."""
    environ = {account.variable: account.password for account in MANY}
    connectors = [
        connector_for(account, imap=reads(account))
        for account in (MANY[number % len(MANY)] for number in range(count))
    ]
    options = ProbeOptions(
        concurrency=threads,
        per_host=threads,
        retries=0,
        depth=depth,
        connect_to=ConnectTo.parse([f"{IMAP}:993={LOOPBACK}:{port}"]),
        ca_file=ca_file,
    )
    results = run(connectors, Resolver(environ, allow_command=False, base=Path()), options)
    assert all(result.passed for result in results)


def by_imapclient(depth: Stage, port: int, ca_file: str, count: int, threads: int) -> None:
    """Do the same with nothing around imapclient."""
    context = shared_context(ca_file)
    look_up: Callable[..., Any] = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *rest, **more: look_up(
        LOOPBACK if host == IMAP else host, *rest, **more
    )
    waiting: SimpleQueue[Account] = SimpleQueue()
    for number in range(count):
        waiting.put(MANY[number % len(MANY)])
    done: list[None] = []

    def work() -> None:
        while True:
            try:
                account = waiting.get_nowait()
            except Empty:
                return
            client = IMAPClient(IMAP, port=port, ssl_context=context, timeout=20)
            client.login(account.username, account.password)
            if depth is Stage.MAILBOX:
                client.namespace()
                client.list_folders()
                client.select_folder("INBOX", readonly=True)
            client.shutdown()
            done.append(None)

    workers = [Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(done) == count


if __name__ == "__main__":
    how = {"probe": by_tests, "bare": by_imapclient}[sys.argv[1]]
    stage = {"login": Stage.AUTHENTICATION, "mailbox": Stage.MAILBOX}[sys.argv[2]]
    started = time.perf_counter()
    how(stage, int(sys.argv[3]), sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
    print(json.dumps({"seconds": time.perf_counter() - started}))
