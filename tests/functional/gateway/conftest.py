"""The gateway as its own process, in front of the sandbox's servers."""

from __future__ import annotations

import json
import smtplib
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import trustme

from tests import interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import Home

PASSWORD: Final = "wbr3N-7hq2-Lx0v-pine"
SENDER: Final = "no-reply@contoso.example"
DEADLINE: Final = 60


class Running:
    """A gateway that runs, what it has logged, and its ports by how they are protected."""

    def __init__(self, process: subprocess.Popen[str], authority: trustme.CA) -> None:
        self.process = process
        self.authority = authority
        self.events: list[dict[str, Any]] = []
        self.ports: dict[str, int] = {}
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                try:
                    event = json.loads(line)
                except ValueError:
                    event = {"event": "text", "text": line}
                self.events.append(event)
                if event["event"] == "listening":
                    self.ports[event["protection"]] = event["port"]
                self._changed.notify_all()

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """Return the last of so many events of a name."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: sum(item["event"] == event for item in self.events) >= count, DEADLINE
            )
            assert found, self.events
            return [item for item in self.events if item["event"] == event][-1]

    def client(self, how: str = "none", *, signed_in: bool = True) -> smtplib.SMTP:
        """A connection of Python's own client."""
        context = ssl.create_default_context(cadata=self.authority.cert_pem.bytes().decode())
        client: smtplib.SMTP
        if how == "implicit":
            client = smtplib.SMTP_SSL(
                "localhost", self.ports[how], timeout=DEADLINE, context=context
            )
        else:
            client = smtplib.SMTP("localhost", self.ports[how], timeout=DEADLINE)
            if how == "starttls":
                client.starttls(context=context)
        if signed_in:
            client.login("grafana", PASSWORD)
        return client

    def page(self, path: str) -> tuple[int, str]:
        """One of the pages about its status."""
        url = f"http://127.0.0.1:{self.ports['status']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def end(self) -> int:
        """Ask it to end, and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


@pytest.fixture
def applied(live: Home) -> Home:
    """The shipped example, applied, with its servers and the password of its application."""
    live.environ["GRAFANA_SMTP_PASSWORD"] = PASSWORD
    live.apply_untested()
    return live


@contextmanager
def running(home: Home, folder: Path, *options: str) -> Iterator[Running]:
    """Run a gateway; its certificate is in ``folder``."""
    authority = trustme.CA()
    pair = authority.issue_cert("localhost", "127.0.0.1")
    pair.private_key_and_cert_chain_pem.write_to_path(str(folder / "tls.pem"))
    process = interpreter.Popen(
        [
            sys.executable, "-m", "reconciler", "gateway", "--plain", "127.0.0.1:0",
            "--tls", "127.0.0.1:0", "--starttls", "127.0.0.1:0", "--status", "127.0.0.1:0",
            "--certificate", str(folder / "tls.pem"), "--host-name", "gateway.contoso.example",
            *options,
        ],
        cwd=home.folder, env=home.environ, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    gateway = Running(process, authority)
    try:
        gateway.wait_for("ready")
        yield gateway
    finally:
        gateway.end()
    assert [item for item in gateway.events if is_unexpected(item)] == []


def is_unexpected(event: dict[str, Any]) -> bool:
    """Whether standard error has text, or a warning other than of a copy that there was no time for at the end."""
    of_copy = event.get("origin") == "reconciler.sending"
    return event["event"] in ("text", "fault") or (event["event"] == "warning" and not of_copy)


@pytest.fixture
def gateway(applied: Home, tmp_path: Path) -> Iterator[Running]:
    """A gateway in front of the shipped example."""
    with running(applied, tmp_path) as found:
        yield found
