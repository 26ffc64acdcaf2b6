"""Mails that are put into a queue as fast as it delivers them, and the result of each."""

from __future__ import annotations

import json
import re
import smtplib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import psycopg

from tests.servers.accounts import ACCOUNTS, DOMAIN
from tests.servers.loopback import LOOPBACK, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from tests.servers.accounts import Account
    from tests.servers.dovecot import Dovecot
    from tests.servers.workplace import Workplace

SENDERS: Final = tuple(item for item in ACCOUNTS if re.fullmatch("user-[0-7]", item.name))
"""Those that have a connector each."""
(STRAIGHT,) = (item for item in ACCOUNTS if item.name == "user-8")
"""The sender of the mails that bypass the gateways."""
READERS: Final = tuple(item for item in ACCOUNTS if re.fullmatch("user-[1-4][0-9]", item.name))
STUCK: Final = 300
"""Seconds without a mail that got through."""
AHEAD: Final = 400
"""Mails in the queue: enough to keep everything busy."""
TEXT: Final = "Dear customer,\r\n\r\nyour order has been shipped and is on its way to you.\r\n" * 10
_MESSAGE_ID: Final = re.compile(rb"(?im)^message-id:\s*(<[^>]+>)")


class _Follower:
    """Follows something in a thread of its own until the block ends."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _follow(self) -> None:
        raise NotImplementedError


class QueueLog(_Follower):
    """Follows the log of a queue, to count the mails that it delivered."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.sent = 0
        self.bounced = 0
        self._path = path

    @property
    def end(self) -> str:
        """The last lines."""
        return "\n".join(self._path.read_text(errors="replace").splitlines()[-40:])

    def _follow(self) -> None:
        rest = b""
        with self._path.open("rb") as file:
            while not self._over.wait(0.02):
                *lines, rest = (rest + file.read()).split(b"\n")
                self.sent += sum(b"status=sent" in line for line in lines)
                self.bounced += sum(b"status=bounced" in line for line in lines)


def pour(
    port: int, name: str, numbers: range, log: QueueLog, *, author: Account | None = None
) -> float:
    """Put mails into a queue and return the seconds until it has delivered all of them."""
    began, before = time.monotonic(), log.sent
    given, turn = iter(numbers), threading.Lock()
    put = Counter[str]()

    def client(_: int) -> None:
        with smtplib.SMTP(LOOPBACK, port, timeout=60) as session:
            while True:
                while put["mails"] - (log.sent - before) >= AHEAD:
                    time.sleep(0.005)
                with turn:
                    number = next(given, None)
                    put["mails"] += 1
                if number is None:
                    return
                sender = (author or SENDERS[number % len(SENDERS)]).username
                reader = READERS[number % len(READERS)].username
                session.sendmail(
                    sender, [reader],
                    f"From: {sender}\r\nTo: {reader}\r\nSubject: Order {number}\r\n"
                    f"Message-ID: <{name}-{number}@{DOMAIN}>\r\n\r\n{TEXT}",
                )  # fmt: skip

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(client, range(4)))
    idle = time.monotonic()
    reached = log.sent
    while log.sent - before < len(numbers):
        if log.sent != reached:
            idle, reached = time.monotonic(), log.sent
        stuck = f"{len(numbers) - (log.sent - before)} are stuck"
        assert time.monotonic() - idle < STUCK, f"{stuck}:\n{log.end}"
        time.sleep(0.01)
    return time.monotonic() - began


def arrived(dovecot: Dovecot, name: str) -> Counter[str]:
    """The number of copies of each mail in all mailboxes, by Message-ID."""
    found: Counter[str] = Counter()
    for folder in (dovecot.folder / "mail").glob("*/Maildir/*"):
        if folder.name not in {"new", "cur"}:
            continue
        for path in folder.iterdir():
            with path.open("rb") as file:
                match = _MESSAGE_ID.search(file.read(4096))
            if match is not None and match[1].startswith(f"<{name}-".encode()):
                found[match[1].decode()] += 1
    return found


@dataclass(frozen=True, slots=True)
class Logged:
    """The rows of ``reconciler log`` for each mail, by result."""

    by_mail: dict[str, Counter[str]]

    @classmethod
    def of(cls, workplace: Workplace) -> Self:
        """Read the whole log, with the public command."""
        done = workplace("log", "--format", "json", "--limit", "10000000")
        assert done.status == 0, done.said
        found: dict[str, Counter[str]] = {}
        for row in json.loads(done.said)["entries"]:
            found.setdefault(row["message_id"], Counter())[row["result"]] += 1
        return cls(found)

    def total(self, result: str) -> int:
        """How many rows have a result."""
        return sum(rows[result] for rows in self.by_mail.values())


class Commits(_Follower):
    """Notes when a revision took effect: when others first see it in the database."""

    def __init__(self, url: str, serial: int) -> None:
        super().__init__()
        self.at = 0.0
        self._url, self._serial = url, serial

    def _follow(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(0.01):
                asked = time.time()
                row = connection.execute("SELECT max(serial) FROM reconciler.revisions").fetchone()
                if row is not None and row[0] >= self._serial:
                    self.at = asked
                    return


def wait_for_all(arrived: Callable[[], bool]) -> None:
    """Wait until the last server has delivered what it took."""
    wait_until(arrived, "everything is delivered", seconds=300)
