"""A private Postfix: submission in every TLS mode, passwords checked by Dovecot, delivery to Dovecot.

Only root can start it, since its processes take on different users.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.servers.accounts import ACCOUNTS, DOMAIN, FULL
from tests.servers.authority import EXPIRED, UNTRUSTED
from tests.servers.loopback import LOOPBACK, free_port, greets, wait_until
from tests.servers.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.servers.authority import Authority
    from tests.servers.dovecot import Dovecot

GONE: Final = f"gone@{DOMAIN}"
"""An address that support@ may send as, and that has no mailbox."""
BUSY: Final = f"busy@{DOMAIN}"
"""An address that support@ may send as, and whose mailbox is always busy: 450."""

RELAY: Final = f"relay.{DOMAIN}"
"""A host that accepts mail without a sign-in."""

UTF8: Final = f"jürgen@utf8.{DOMAIN}"
"""An address that accepts SMTPUTF8. Dovecot's LMTP does not, so Postfix files this mail itself."""

_NOBODY: Final = 65534
"""Who it belongs to then."""

_MAIN: Final = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = {loopback}
inet_protocols = ipv4
myhostname = mail.{domain}
mydestination =
mynetworks =
relay_domains =
default_transport = error:this Postfix delivers nothing to the world
notify_classes =
local_recipient_maps =
alias_maps =
anvil_status_update_time = 3600s
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
message_size_limit = 30000000

virtual_mailbox_domains = {domain} utf8.{domain}
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_transport = lmtp:unix:{lmtp}
transport_maps = inline:{{ {{ utf8.{domain} = virtual: }} }}
virtual_mailbox_base = {folder}
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}

smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = {good}

smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_sasl_security_options = noanonymous

smtpd_sender_login_maps = texthash:{folder}/senders
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_recipient_restrictions =
  check_recipient_access texthash:{folder}/recipients
  reject_unlisted_recipient
  permit_sasl_authenticated
  reject
"""

_RECIPIENTS: Final = f"""\
{FULL.username} 552 5.2.2 Mailbox is full
{BUSY} 450 4.2.1 Mailbox is busy, try again later
"""

MASTER: Final = """\
postlog    unix-dgram n - n - 1 postlogd
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
proxymap   unix  - - n - - proxymap
error      unix  - - n - - error
lmtp       unix  - - n - - lmtp
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
"""


@dataclass(frozen=True, slots=True)
class Door:
    """A port of Postfix that differs from the others in its ``options``."""

    host: str
    port: int
    options: tuple[str, ...] = ()


_IMPLICIT: Final = "smtpd_tls_wrappermode=yes"
_BY_NETWORK: Final = (
    "smtpd_sasl_auth_enable=no",
    "mynetworks=127.0.0.0/8",
    "smtpd_sender_restrictions=",
    "smtpd_recipient_restrictions=reject_unlisted_recipient,permit_mynetworks,reject",
)
"""A relay: clients in its network may send without signing in."""

DOORS: Final = (
    Door(f"smtp.{DOMAIN}", 465, (_IMPLICIT,)),
    Door(f"smtp.{DOMAIN}", 587),
    Door(f"smtp.{DOMAIN}", 25, ("smtpd_tls_security_level=none",)),
    # Here somebody else's address as a sender is refused at once, not at RCPT TO.
    Door(f"mail.{DOMAIN}", 465, (_IMPLICIT, "smtpd_delay_reject=no")),
    Door(f"mail.{DOMAIN}", 587, ("smtpd_sasl_auth_enable=no",)),
    Door(f"bearer.{DOMAIN}", 465, (_IMPLICIT, "smtpd_sasl_mechanism_filter=oauthbearer")),
    Door(f"bearer.{DOMAIN}", 587, ("smtpd_sasl_mechanism_filter=oauthbearer",)),
    Door(RELAY, 25, ("smtpd_tls_security_level=none", *_BY_NETWORK)),
    Door(RELAY, 587, _BY_NETWORK),
    # Clients with a certificate of the authority may send.
    Door(
        RELAY,
        465,
        (_IMPLICIT, *_BY_NETWORK, "smtpd_tls_req_ccert=yes", "smtpd_tls_CAfile={authority}"),
    ),
    # Nobody is in its network, so that it relays for nobody.
    Door(
        RELAY,
        2525,
        (
            *_BY_NETWORK[:1],
            _BY_NETWORK[2],
            "smtpd_tls_security_level=none",
            "smtpd_recipient_restrictions=reject_unauth_destination",
        ),
    ),
    Door(EXPIRED, 465, (_IMPLICIT, "smtpd_tls_chain_files={expired}")),
    Door(UNTRUSTED, 465, (_IMPLICIT, "smtpd_tls_chain_files={untrusted}")),
)
"""What a connector names, and so what it should find there."""


def postfix_program() -> str | None:
    """Where Postfix is installed, or None."""
    return shutil.which("postfix") or shutil.which("postfix", path="/usr/sbin:/usr/local/sbin")


class Postfix:
    """A running Postfix. ``ports`` maps each of its doors to its port on loopback."""

    def __init__(self, program: str, folder: Path, authority: Authority, dovecot: Dovecot) -> None:
        self.folder = folder
        self._program = program
        self.ports = {door: free_port() for door in DOORS}
        self._write(authority, dovecot)
        self._process = start_master(program, self.folder / "etc")
        port = next(port for door, port in self.ports.items() if door.port == 587)
        try:
            wait_until(lambda: greets(port, b"220 "), "Postfix greets", seconds=60)
        except TimeoutError:
            self.stop()
            raise RuntimeError(f"Postfix did not start:\n{self.log}") from None

    @property
    def log(self) -> str:
        """What it has logged."""
        path = self.folder / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def settled_log(self) -> str:
        """What it has logged, once the log has the end of every connection."""

        def settled() -> bool:
            log = self.log
            return log.count(": connect from ") == log.count(": disconnect from ")

        wait_until(settled, "every connection has ended")
        return self.log

    def filed(self) -> list[Path]:
        """The mails to UTF8, as they came; there is at least one."""
        new = self.folder / "utf8" / "new"
        wait_until(lambda: new.is_dir() and any(new.iterdir()), f"a mail to {UTF8} is filed")
        return sorted(new.iterdir())

    def configure(self, *settings: str) -> None:
        """Change settings, such as ``in_flow_delay = 0``, for the connections to come."""
        etc = self.folder / "etc"
        for program, *arguments in (("postconf", "-e", *settings), ("postfix", "reload")):
            path = Path(self._program).with_name(program)
            subprocess.run((path, "-c", etc, *arguments), check=True, capture_output=True)

    @property
    def pid(self) -> int:
        """The number of its first process."""
        return self._process.pid

    @property
    def queued(self) -> int:
        """How many mails it has taken and not got rid of."""
        return queued_in(self.folder / "queue")

    def stop(self) -> None:
        """End it."""
        self._process.end()

    def _write(self, authority: Authority, dovecot: Dovecot) -> None:
        for name in ("etc", "queue", "data", "utf8"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "utf8", _NOBODY, _NOBODY)
        shutil.chown(self.folder / "data", "postfix")
        main = _MAIN.format(
            folder=self.folder,
            loopback=LOOPBACK,
            domain=DOMAIN,
            nobody=_NOBODY,
            good=authority.good,
            sasl=dovecot.sasl_socket,
            lmtp=dovecot.lmtp_socket,
        )
        (self.folder / "etc" / "main.cf").write_text(main)
        # Postfix reads a file that is younger than two seconds again until it is older.
        os.utime(self.folder / "etc" / "main.cf", (0, 0))
        lines = (
            " ".join(
                (
                    f"{LOOPBACK}:{port} inet n - n - - smtpd",
                    *(
                        f"-o {option}".format(
                            expired=authority.expired,
                            untrusted=authority.untrusted,
                            authority=authority.certificate,
                        )
                        for option in door.options
                    ),
                )
            )
            for door, port in self.ports.items()
        )
        (self.folder / "etc" / "master.cf").write_text(MASTER + "\n".join(lines) + "\n")
        (self.folder / "recipients").write_text(_RECIPIENTS)
        mailboxes = (account.username for account in ACCOUNTS if account.mailbox)
        known = dict.fromkeys((*mailboxes, BUSY), "yes") | {UTF8: "utf8/"}
        _write_table(self.folder / "mailboxes", known.items())
        _write_table(self.folder / "senders", _owners().items())


def queued_in(queue: Path) -> int:
    """How many mails are in a queue directory."""
    return sum(
        len(files)
        for name in ("maildrop", "incoming", "active", "deferred", "hold")
        for _, _, files in os.walk(queue / name)
    )


def start_master(program: str, etc: Path) -> ServerProcess:
    """Start the master itself: ``postfix start-fg`` is a shell, which would outlive us together with it."""
    subprocess.run((program, "-c", etc, "check"), check=True, capture_output=True)
    postconf = (Path(program).with_name("postconf"), "-c", etc, "-h", "daemon_directory")
    daemons = subprocess.run(postconf, check=True, capture_output=True, text=True).stdout.strip()
    return ServerProcess(f"{daemons}/master", "-c", str(etc), "-s")


def _owners() -> dict[str, str]:
    """Who may send as each address, in the form of smtpd_sender_login_maps."""
    owners: dict[str, list[str]] = {}
    for account in ACCOUNTS:
        for address in (account.username, *account.aliases):
            owners.setdefault(address, []).append(account.username)
    return {address: ",".join(names) for address, names in owners.items()}


def _write_table(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    path.write_text("".join(f"{key} {value}\n" for key, value in rows))
