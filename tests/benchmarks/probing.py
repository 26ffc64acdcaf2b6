"""Tests many connectors in a process of its own, which then says how long it took and how much it used.

    python -m tests.benchmarks.probing PROTOCOL PORT COUNT CONCURRENCY CA_FILE

Every connector has a host of its own, so that no cap for a host slows them down.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from reconciler.cli.main import collect_rarely
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.secrets.registry import Resolver
from tests.servers.loopback import LOOPBACK

DOMAIN = "bench.example"


def host(number: int) -> str:
    """The host of a connector; a certificate for ``*.bench.example`` is right for all of them."""
    return f"mail-{number:05}.{DOMAIN}"


def connector(protocol: Protocol, number: int) -> Connector:
    """A mailbox that is read over TLS, or an account that sends after STARTTLS."""
    imap = protocol is Protocol.IMAP
    server = MailServer(
        server=host(number),
        port=993 if imap else 587,
        security=Security.IMPLICIT if imap else Security.STARTTLS,
        username=f"user-{number}@{DOMAIN}",
        password=SecretRef("env", "BENCH_PASSWORD"),
    )
    return Connector(
        name=f"c-{number}",
        display_name=f"Connector {number}",
        imap=server if imap else None,
        smtp=None if imap else server,
        enable_mail_send_from=not imap,
        email_address=f"user-{number}@{DOMAIN}",
    )


def peak_memory() -> float:
    """The most memory that this process has had, in MB.

    Not ``getrusage``: that starts with what the parent had.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def main(protocol: Protocol, port: int, count: int, concurrency: int, ca_file: str) -> None:
    """Test ``count`` connectors, and print what it took as JSON."""
    collect_rarely([])  # as the command does
    connectors = [connector(protocol, number) for number in range(count)]
    door = 993 if protocol is Protocol.IMAP else 587
    options = ProbeOptions(
        concurrency=concurrency,
        retries=0,
        connect_to=ConnectTo.parse(f"{host(n)}:{door}={LOOPBACK}:{port}" for n in range(count)),
        ca_file=ca_file,
    )
    resolver = Resolver({"BENCH_PASSWORD": "secret"}, allow_command=False, base=Path())
    started = time.perf_counter()
    results = run(connectors, resolver, options)
    seconds = time.perf_counter() - started
    failed = [result for result in results if not result.passed]
    if failed:
        raise SystemExit(f"{len(failed)} of {count} failed, the first: {failed[0]}")
    print(json.dumps({"seconds": seconds, "memory": peak_memory()}))


if __name__ == "__main__":
    main(Protocol(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
