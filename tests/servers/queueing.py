"""A Postfix in front of the gateway, configured as docs/gateway.md has it: it keeps mail until it is taken."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.servers.loopback import LOOPBACK, free_port, greets, wait_until
from tests.servers.postfix import MASTER, postfix_program, queued_in, start_master

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAIN: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {log}
maillog_file_prefixes = {folder}
inet_interfaces = {loopback}
inet_protocols = ipv4
myhostname = queue.contoso.example
mydestination =
mynetworks = 127.0.0.0/8
notify_classes =
local_recipient_maps =
alias_maps =
anvil_status_update_time = 3600s
in_flow_delay = 0
minimal_backoff_time = 3s
maximal_backoff_time = 3s
queue_run_delay = 1s
smtp_tls_security_level = may
smtp_tls_connection_reuse = yes
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_password_maps = texthash:{folder}/gateways
"""

_MASTER: Final = f"""\
{MASTER}smtp unix - - n - - smtp
relay unix - - n - - smtp
retry unix - - n - - error
scache unix - - n - 1 scache
tlsproxy unix - - n - 0 tlsproxy
"""


class QueueingPostfix:
    """A running one. ``port`` takes mail for the gateways; what came to ``straight`` goes to another server."""

    def __init__(self, folder: Path, port: int, straight: int, pid: int) -> None:
        self.port = port
        self.straight = straight
        self.log = folder / "postfix.log"
        self.pid = pid
        self._queue = folder / "queue"

    @property
    def queued(self) -> int:
        """How many mails it has not got rid of."""
        return queued_in(self._queue)


@contextmanager
def queueing(
    folder: Path,
    gateways: Sequence[int],
    user: str,
    password: str,
    *,
    straight: tuple[int, str, str] | None = None,
) -> Iterator[QueueingPostfix]:
    """Run one in front of gateways on these ports, where it signs in; skips without Postfix.

    ``straight`` is another server's port with STARTTLS, and a user and a password there.
    """
    program = postfix_program()
    if program is None:
        pytest.skip("Postfix is not installed: apt-get install postfix")
    if not list(Path("/usr/lib").glob("*/sasl2/libplain.so")):
        pytest.skip("Postfix cannot sign in as a client: apt-get install libsasl2-modules")
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix")
    log = folder / "postfix.log"
    (folder / "etc" / "main.cf").write_text(
        _MAIN.format(folder=folder, log=log, loopback=LOOPBACK) + _route(gateways)
    )
    (folder / "gateways").write_text(
        "".join(f"[{LOOPBACK}]:{gateway} {user}:{password}\n" for gateway in gateways)
    )
    port, other = free_port(), free_port()
    lines = f"{_MASTER}{LOOPBACK}:{port} inet n - n - - smtpd\n"
    if straight is not None:
        target, user, password = straight
        (folder / "straight").write_text(f"[{LOOPBACK}]:{target} {user}:{password}\n")
        lines += (
            f"{LOOPBACK}:{other} inet n - n - - smtpd -o content_filter=straight:[{LOOPBACK}]:{target}\n"
            f"straight unix - - n - - smtp -o smtp_fallback_relay= -o smtp_sasl_password_maps=texthash:{folder}/straight\n"
        )
    (folder / "etc" / "master.cf").write_text(lines)
    process = start_master(program, folder / "etc")
    try:
        wait_until(lambda: greets(port, b"220 "), "the queue greets", seconds=60)
        yield QueueingPostfix(folder, port, other, process.pid)
    finally:
        process.end()
        shutil.rmtree(folder)


def _route(gateways: Sequence[int]) -> str:
    """Each mail goes to any of the gateways, and to another one where that is away."""
    named = [f"[{LOOPBACK}]:{gateway}" for gateway in gateways]
    if len(named) == 1:
        return f"relayhost = {named[0]}\n"
    return (
        f"transport_maps = randmap:{{{', '.join(f'relay:{one}' for one in named)}}}\n"
        f"smtp_fallback_relay = {', '.join(named)}\n"
    )
