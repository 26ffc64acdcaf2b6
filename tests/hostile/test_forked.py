"""A process that forks while it has a mailer open: parent and child send over connections of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.cli.main import main
from tests.hostile.scripts import QUEUED, in_turn, smtp

if TYPE_CHECKING:
    from tests.hostile.conftest import Office, Open
    from tests.hostile.server import Peer
    from tests.servers.postgresql import Postgresql

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

OPENED: Final = """
import os, sys, threading, warnings
from reconciler import Mailer, Message
warnings.simplefilter("ignore")  # a process with threads warns about forking, which is what is tested here
mailer = Mailer.open(timeout=20)

def send(subject):
    message = Message(to=("ada@x.example",), subject=subject, text="Hello.")
    return mailer.send(message, connector="support")
"""

IN_TURNS: Final = f"""{OPENED}
send("before")
child = os.fork()
if not child:
    send("of the child")
    mailer.close()
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
send("after")
mailer.close()
"""

IN_THE_MIDDLE: Final = f"""{OPENED}
thread = threading.Thread(target=send, args=("held",))
thread.start()
sys.stdin.readline()  # the server has the mail, and the thread waits for its answer
child = os.fork()
if not child:
    send("of the child")
    mailer.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("sent", flush=True)
thread.join()
mailer.close()
"""


def subjects(peer: Peer) -> list[str]:
    return [line.removeprefix("Subject: ") for line in peer.lines if line.startswith("Subject")]


def process(office: Office, script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, **office.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def logged(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The results in the log; the state must be valid."""
    capsys.readouterr()
    assert main(["state", "check"]) == 0
    capsys.readouterr()
    assert main(["log", "--format", "json"]) == 0
    return [entry["result"] for entry in json.loads(capsys.readouterr().out)["entries"]]


def test_parent_and_child_do_not_share_a_connection(
    opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    office = opened(smtp(DATA=QUEUED))
    with process(office, IN_TURNS) as running:
        said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    first, second = office.server.peers
    assert subjects(first) == ["before", "after"]
    assert subjects(second) == ["of the child"]
    assert [peer.lines[-1] for peer in (first, second)] == ["QUIT", "QUIT"]
    assert logged(capsys) == ["sent"] * 3


def test_a_child_can_send_while_a_thread_of_its_parent_is_sending(
    opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def held(peer: Peer, _: str) -> None:
        asked.set()
        answered.wait(60)
        peer.send("250 2.1.0 ok\r\n")

    office = opened(in_turn(smtp(MAIL=held, DATA=QUEUED), smtp(DATA=QUEUED)))
    with process(office, IN_THE_MIDDLE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert asked.wait(60)
        running.stdin.write("\n")
        running.stdin.flush()
        assert running.stdout.readline() == "sent\n"
        answered.set()
        said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert [subjects(peer) for peer in office.server.peers] == [["held"], ["of the child"]]
    assert logged(capsys) == ["sent"] * 2


@pytest.mark.server
def test_parent_and_child_share_no_connection_to_a_database(
    opened: Open,
    postgresql: Postgresql,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    postgresql.clear()
    monkeypatch.setenv("RECONCILER_STATE", postgresql.url)
    office = opened(smtp(DATA=QUEUED))
    with process(office, IN_TURNS) as running:
        said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert [subjects(peer) for peer in office.server.peers] == [
        ["before", "after"],
        ["of the child"],
    ]
    assert logged(capsys) == ["sent"] * 3
    postgresql.clear()
