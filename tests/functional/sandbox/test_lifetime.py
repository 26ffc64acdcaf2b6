from __future__ import annotations

import gc
import os
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import SandboxError
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.sandbox.own_state import own_state
from reconciler.sandbox.session import INSTALL_HINT, Sandbox, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def threads() -> int:
    return sum(thread.name == "sandbox" for thread in threading.enumerate())


def local(session: Session, port: int) -> tuple[str, int]:
    (found,) = (item for item in session.endpoints if item.port == port)
    return found.address, found.local_port


def test_the_second_start_has_the_same_passwords_and_leaves_nothing_but_the_seed(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    runs = []
    for _ in range(2):
        with Sandbox((connector(),), tmp_path / "box") as session:
            runs.append(session.environment["SUPPORT"])
            assert (tmp_path / "box").stat().st_mode & 0o777 == 0o700
    assert runs[0] == runs[1]
    assert [path.name for path in (tmp_path / "box").iterdir()] == ["seed"]


def test_the_state_of_the_sandbox_is_separate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    with Sandbox((), Path("box")) as session:
        expected = tmp_path / "box" / "state.db"
        assert session.environment["RECONCILER_STATE"] == f"sqlite:///{expected}"
        assert Path(session.environment["RECONCILER_CA_FILE"]).parent == tmp_path / "box"
        assert session.environment["RECONCILER_CONNECT_TO"] == "*"
        assert session.endpoints == ()


def test_nothing_is_left_when_conversations_are_cut_short(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    before = threads()
    connectors = (
        connector("one", Security.IMPLICIT, domain="one.example"),
        connector("two", Security.STARTTLS, domain="two.example"),
    )
    with Sandbox(connectors, tmp_path) as session:
        trust = ssl.create_default_context(cafile=session.environment["RECONCILER_CA_FILE"])
        open_ones = []
        # No handshake, half a command, a handshake announced but never begun, an IDLE.
        for port, octets in (
            (993, b""),
            (465, b"\x16\x03"),
            (143, b"a LOGIN {5}\r\n"),
            (587, b"EHLO x\r\nSTARTTLS\r\n"),
        ):
            client = socket.create_connection(local(session, port), timeout=20)
            client.sendall(octets)
            open_ones.append(client)
        assert b"220 Ready" in read_until(open_ones[3], b"Ready to start TLS\r\n")
        assert b"+ " in read_until(open_ones[2], b"+ Literal")
        raw = socket.create_connection(local(session, 993), timeout=20)
        idle = trust.wrap_socket(raw, server_hostname="imap.one.example")
        password = session.environment["ONE"].encode()
        idle.sendall(b"a LOGIN one@one.example " + password + b"\r\nb SELECT INBOX\r\nc IDLE\r\n")
        read_until(idle, b"+ Idling")
        open_ones.append(idle)
    assert threads() == before
    gc.collect()  # what was forgotten speaks up now, as a ResourceWarning
    for client in open_ones:
        client.settimeout(20)
        with client:
            try:
                while client.recv(1000):
                    pass
            except OSError:
                pass  # reset, which is an end as well
    assert session.journal.faults == ()


def read_until(client: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        octets = client.recv(4096)
        assert octets, received
        received += octets
    return received


def test_ports_are_free_again_after_the_run(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    with Sandbox((connector(),), tmp_path) as session:
        address = local(session, 993)
        socket.create_connection(address, timeout=20).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=20)
    socket.create_server(address).close()


def test_a_sandbox_can_be_entered_again_after_it_has_ended(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    sandbox = Sandbox((connector(),), tmp_path)
    for _ in range(2):
        with sandbox as session:
            socket.create_connection(local(session, 993), timeout=20).close()


def test_two_concurrent_sandboxes_do_not_interfere(
    tmp_path: Path, connector: Callable[..., Connector], clients: Callable[[Session], Any]
) -> None:
    support = connector()
    with Sandbox((support,), tmp_path) as first:
        with Sandbox((support,), tmp_path) as second:
            assert first.environment["SUPPORT"] == second.environment["SUPPORT"]
            assert (
                first.environment["RECONCILER_CA_FILE"]
                != (second.environment["RECONCILER_CA_FILE"])
            )
            clients(second).signed_in_imap(support).append("INBOX", b"Subject: x\r\n\r\n")
        imap = clients(first).signed_in_imap(support)
        assert imap.select_folder("INBOX")[b"EXISTS"] == 0


def test_each_of_two_sandboxes_at_once_has_a_state_of_its_own(tmp_path: Path) -> None:
    with Sandbox((), tmp_path) as first:
        with Sandbox((), tmp_path) as second, Sandbox((), tmp_path) as third:
            states = [item.environment["RECONCILER_STATE"] for item in (first, second, third)]
            assert states == [f"sqlite:///{tmp_path}/state{which}.db" for which in ("", "-2", "-3")]
        with Sandbox((), tmp_path) as fourth:
            assert fourth.state.name == "state-2.db"
    with Sandbox((), tmp_path) as later:
        assert later.state == first.state


def test_the_state_of_a_killed_sandbox_is_reused(tmp_path: Path) -> None:
    lines = (
        "import os, sys, pathlib",
        "from reconciler.sandbox.own_state import own_state",
        "with own_state(pathlib.Path(sys.argv[1])):",
        "    print('in', flush=True)",
        "    sys.stdin.read()",
    )
    with subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        with own_state(tmp_path) as state:
            assert state.name == "state-2.db"
        other.kill()
    with own_state(tmp_path) as state:
        assert state.name == "state.db"


def test_an_error_inside_the_block_ends_the_sandbox_and_is_not_swallowed(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    before = threads()
    with pytest.raises(ZeroDivisionError), Sandbox((connector(),), tmp_path):
        _ = 1 // 0
    assert threads() == before


def test_servers_that_fail_to_start_say_so_and_leave_nothing(
    tmp_path: Path, connector: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.sandbox.delivery import Store

    async def fail(_: Store) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(Store, "create_folders", fail)
    before = threads()
    with pytest.raises(RuntimeError, match="no room"), Sandbox((connector(),), tmp_path):
        pass
    assert threads() == before
    assert [path.name for path in tmp_path.iterdir()] == ["seed"]


def test_a_failure_of_the_sandbox_itself_is_answered_and_noted(
    tmp_path: Path,
    connector: Callable[..., Connector],
    clients: Callable[[Session], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from reconciler.sandbox.delivery import PostOffice

    async def fail(*_: object, **__: object) -> None:
        raise LookupError("what a client sent")

    monkeypatch.setattr(PostOffice, "deliver", fail)
    support = connector()
    with Sandbox((support,), tmp_path) as session:
        smtp = clients(session).signed_in_smtp(support)
        with pytest.raises(smtplib.SMTPDataError) as raised:
            smtp.sendmail("support@corp.example", ["x@corp.example"], b"Subject: x\r\n\r\n")
        assert raised.value.smtp_code == 451
    assert session.journal.faults == ("SMTP: LookupError",)


def test_a_host_that_no_certificate_can_name_is_reported(
    tmp_path: Path, server: Callable[..., MailServer]
) -> None:
    before = threads()
    imap = server("a..b", 993, Security.IMPLICIT, "u", "env:U")
    with (
        pytest.raises(SandboxError, match=r"certificate for the host 'a\.\.b'"),
        Sandbox((Connector(name="x", display_name="x", imap=imap),), tmp_path),
    ):
        pass
    assert threads() == before
    assert [path.name for path in tmp_path.iterdir()] == ["seed"]


def test_a_session_does_not_show_its_secrets(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    with Sandbox((connector(),), tmp_path) as session:
        assert session.environment["SUPPORT"] not in repr(session)
        assert session.environment["SUPPORT"] not in str(session.endpoints)


def test_the_environment_is_also_there_as_lines_for_a_shell(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    with Sandbox((connector(),), tmp_path / "with blank") as session:
        script = "\n".join([*session.export_lines, "env -0"])
        result = subprocess.run(
            ["/bin/sh", "-c", script],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            check=True,
        )
        exported = dict(item.split("=", 1) for item in result.stdout.decode().split("\0") if item)
        assert session.environment.items() <= exported.items()


@pytest.mark.parametrize("package", ["pymap", "aiosmtpd", "trustme"])
def test_a_missing_extra_is_reported_with_what_installs_it(package: str, tmp_path: Path) -> None:
    script = f"""
import sys
sys.modules[{package!r}] = None
from pathlib import Path
from reconciler.errors import SandboxError
from reconciler.sandbox.session import Sandbox
heavy = {{"asyncio", "ssl", "pymap", "trustme", "aiosmtpd", "subprocess"}} & sys.modules.keys()
assert heavy == {{{package!r}}}, heavy
try:
    Sandbox((), Path(sys.argv[1])).__enter__()
except SandboxError as error:
    print(error.message, error.hint, sep="\\n")
"""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"the sandbox needs {package}, which is not installed",
        INSTALL_HINT,
    ]
