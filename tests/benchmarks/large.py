"""Ten thousand of everything: a folder of documents, and a stored state with a past, and what they cost.

    python -m tests.benchmarks.large state URL

It prints as JSON how many seconds of CPU each part took,
beside fetching the rows: CPU time, because it says much the same however busy the machine is otherwise.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.cli.main import collect_rarely
from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.directory import Group
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.secret_ref import SecretRef
from reconciler.model.sending import SendingRecord, SendingResult
from reconciler.model.snapshot import LastTest, Snapshot
from reconciler.plan.changes import Change, Create, FieldChange, Update
from reconciler.plan.inputs import Desired
from reconciler.plan.planner import plan
from reconciler.state.base import Commit, StateStore
from reconciler.state.sql.store import open_store
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.resource import Resource

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GROUPS = 100
TOUCHED = 50
"""How many connectors each revision after the first one changes."""

Value = TypeVar("Value")


def write_documents(folder: Path, count: int) -> None:
    """Write ``count`` documents, a connector and its permissions in each file, and the groups."""
    folder.mkdir(parents=True)
    groups = [
        f"kind: Group\nname: group-{number}\nmembers: {{users: [user-{number}@contoso.example]}}\n"
        for number in range(GROUPS)
    ]
    (folder / "groups.yaml").write_text("---\n".join(groups))
    roles = "kind: Roles\nadministrators: {users: [root@contoso.example]}\n"
    (folder / "roles.yaml").write_text(roles)
    for number in range((count - GROUPS) // 2):
        (folder / f"c-{number:05}.yaml").write_text(_document(number))


def _document(number: int) -> str:
    name = f"c-{number:05}"
    return f"""\
kind: EmailConnector
name: {name}
display_name: Connector {number}
imap:
  server: imap-{number % 50}.contoso.example
  port: 993
  use_ssl: true
  username: {name}@contoso.example
  password: env:PASSWORD_{number}
enable_mail_send_from: true
smtp:
  server: smtp-{number % 50}.contoso.example
  port: 587
  use_ssl: true
  email_address: {name}@contoso.example
  use_same_credentials: true
labels: [team-{number % 20}]
---
kind: Permissions
connector: {name}
administrators: {{groups: [group-{number % GROUPS}]}}
users: {{groups: [group-{(number + 7) % GROUPS}], users: [user-{number}@contoso.example]}}
"""


def resources(connectors: int) -> tuple[Resource, ...]:
    """Connectors with permissions, and the groups that these name."""
    return (
        *(
            Group(name=f"group-{number}", members=Principals(users=(f"user-{number}@example.com",)))
            for number in range(GROUPS)
        ),
        *(_connector(number) for number in range(connectors)),
        *(
            Permissions(
                connector=f"c-{number:05}",
                users=Principals(groups=(f"group-{number % GROUPS}",)),
            )
            for number in range(connectors)
        ),
    )


def _connector(number: int) -> Connector:
    name = f"c-{number:05}"
    server = MailServer(
        server=f"mail-{number % 50}.contoso.example",
        port=993,
        security=Security.IMPLICIT,
        username=f"{name}@contoso.example",
        password=SecretRef("env", f"PASSWORD_{number}"),
    )
    return Connector(
        name=name,
        display_name=f"Connector {number}",
        imap=server,
        smtp=replace(server, port=465),
        enable_mail_send_from=True,
        email_address=f"{name}@contoso.example",
    )


def fill(url: str, connectors: int, revisions: int) -> None:
    """Store connectors in one revision, and change some of them in each of the further ones."""
    store = open_store(url)
    try:
        every = resources(connectors)
        current = {item.name: item for item in every if isinstance(item, Connector)}
        marks = tuple(
            (
                item.name,
                tuple((reference, Fingerprint("k", "0" * 64)) for reference in item.references),
            )
            for item in current.values()
        )
        tests = tuple((name, LastTest(passed=True, at=NOON)) for name in current)
        created = tuple(Create(item) for item in every)
        _commit(store, "", 0, created, fingerprints=marks, tests=tests)
        lineage = store.load().lineage
        names = list(current)
        for revision in range(1, revisions):
            changes: list[Change] = []
            for position in range(TOUCHED):
                name = names[(revision * TOUCHED + position) % connectors]
                before = current[name]
                current[name] = replace(before, display_name=f"Since revision {revision + 1}")
                field = FieldChange("display_name", before.display_name, current[name].display_name)
                changes.append(Update(before, current[name], (field,)))
            _commit(store, lineage, revision, tuple(changes))
    finally:
        store.close()


def sendings(count: int) -> Iterator[SendingRecord]:
    """Rows of the log of sending, as a gateway writes them."""
    for number in range(count):
        known = hashlib.sha256(str(number).encode()).hexdigest()[:32]
        yield SendingRecord(
            id=f"{number:032x}", at=NOON + timedelta(seconds=number), actor="queue@contoso.example",
            actor_source="gateway", result=SendingResult.SENT, connector="c-00001",
            host="smtp.office365.com", message_id=f"<{known}@contoso.example>",
            sender="c-00001@contoso.example", from_address="c-00001@contoso.example", recipients=1,
            accepted=1, size=1500 + number, code=250, enhanced="2.0.0", copy="skipped",
            application="queue", reason="sender",
        )  # fmt: skip


def _commit(
    store: StateStore, lineage: str, serial: int, changes: tuple[Change, ...], **more: Any
) -> None:
    with store.lock(holder="bench", operation="apply") as lock:
        store.commit(
            Commit(
                expected_lineage=lineage,
                expected_serial=serial,
                changes=changes,
                at=NOON + timedelta(hours=serial),
                actor="bench",
                actor_source="--actor",
                git_commit="c0ffee",
                tool_version="1.0",
                plan_digest="sha256:00",
                **more,
            ),
            token=lock.lease.token,
        )


def rows_bare(url: str) -> list[Any]:
    """Fetch the rows that a state is read from, by the database's driver and nothing else."""
    prefix = ""
    connection: Any
    if url.startswith("sqlite"):
        import sqlite3

        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    else:
        import psycopg

        connection, prefix = psycopg.connect(url), "reconciler."
    try:
        cursor = connection.cursor()
        found: list[Any] = []
        for table in ("resources", "fingerprints", "tests"):
            cursor.execute(f"SELECT * FROM {prefix}{table}")
            found += cursor.fetchall()
        return found
    finally:
        connection.close()


def stored(url: str) -> Iterator[tuple[str, float]]:
    """Read a state in several ways, plan against it, and ask for its past."""
    yield "bare", _timed(lambda: rows_bare(url))[0]
    store = open_store(url, read_only=True)
    try:
        seconds, current = _timed(store.load)
        yield "load", seconds
        policy = GlobalSmtpPolicy(enabled=True, connector="c-00000")
        same, forced = Desired(current.snapshot), Desired(
            Snapshot.of((*current.snapshot.resources, policy))
        )  # fmt: skip
        seconds, made = _timed(lambda: plan(same, current))
        assert made.empty
        yield "plan of no change", seconds
        seconds, made = _timed(lambda: plan(forced, current))
        assert len(made.impact.rerouted) >= len(current.snapshot.connectors) - 1
        yield "plan that reroutes all", seconds
        yield "newest revisions", _timed(lambda: store.revisions(limit=50))[0]
        address = Address(Kind.EMAIL_CONNECTOR, f"c-{TOUCHED:05}")
        seconds, past = _timed(lambda: store.history(address))
        assert len(past) > 1
        yield "history of a connector", seconds
    finally:
        store.close()


def _timed(deed: Callable[[], Value]) -> tuple[float, Value]:
    started = time.process_time()
    value = deed()
    return time.process_time() - started, value


def main(what: str, where: str) -> None:
    """Run one measurement, and print its result."""
    collect_rarely([])  # as the commands do
    assert what == "state"
    print(json.dumps(dict(stored(where))))


if __name__ == "__main__":
    main(*sys.argv[1:])
