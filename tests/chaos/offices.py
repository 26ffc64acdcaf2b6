"""Where mail goes in an attack: to scripted servers that record each mail as they accept it, or to real ones."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Protocol, Self

from tests.hostile.conftest import HOST, PASSWORD, Certificates
from tests.hostile.scripts import SELECTED, append, imap, smtp
from tests.hostile.server import HostileServer
from tests.servers.accounts import ADA, DOMAIN, INFO, SUPPORT
from tests.servers.loopback import LOOPBACK, wait_until
from tests.servers.postfix import Door
from tests.servers.site import IMAP, SMTP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from tests.hostile.server import Peer
    from tests.servers.authority import Authority
    from tests.servers.dovecot import Dovecot
    from tests.servers.mailboxes import Mailboxes
    from tests.servers.postfix import Postfix

OURS: Final = "scripted servers"
REAL: Final = "Postfix and Dovecot"


class Office(Protocol):
    """The servers of one mail domain, with the accounts support@ and info@."""

    domain: str
    hosts: Mapping[str, str]
    ports: Mapping[str, int]
    ca_file: Path
    passwords: Mapping[str, str]
    recipient: str

    def taken(self, message_id: str) -> int:
        """How often the servers have accepted a mail, once nothing is pending."""
        ...


class ScriptedOffice:
    """Correct servers that have accepted a mail as soon as its last line has arrived."""

    domain = HOST
    hosts: Final = {"smtp": HOST, "imap": HOST}
    passwords: Final = {"SUPPORT_PASSWORD": PASSWORD, "INFO_PASSWORD": PASSWORD}
    recipient = "ada@elsewhere.example"

    def __init__(self, certificates: Certificates) -> None:
        self.ca_file = certificates.ca_file
        self._context = certificates.good
        self._taken: Counter[str] = Counter()
        self._reading = 0
        self._changing = threading.Condition()
        self._stack = ExitStack()
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        sends = smtp(DATA=self._data, NOOP="250 2.0.0 ok\r\n")
        reads = imap(**{**SELECTED, "APPEND": append("{tag} OK done\r\n")})
        for name, script in (("smtp", sends), ("imap", reads)):
            server = self._stack.enter_context(HostileServer(script, self._context))
            self.ports[name] = server.port
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def taken(self, message_id: str) -> int:
        """How often a mail was accepted; the client has closed its end, so pending reads end soon."""
        with self._changing:
            assert self._changing.wait_for(lambda: not self._reading, 30)
            return self._taken[message_id]

    def _data(self, peer: Peer, _: str) -> None:
        with self._changing:
            self._reading += 1
        try:
            peer.send("354 go ahead\r\n")
            identifier = ""
            while (line := peer.line()) != ".":
                name, _, value = line.partition(":")
                if name.lower() == "message-id":
                    identifier = value.strip()
            with self._changing:
                self._taken[identifier] += 1
        finally:
            with self._changing:
                self._reading -= 1
                self._changing.notify_all()
        peer.send("250 2.0.0 queued\r\n")


class RealOffice:
    """Postfix, which delivers to Dovecot; a mail counts where its reader finds it."""

    domain = DOMAIN
    hosts: Final = {"smtp": SMTP, "imap": IMAP}
    passwords: Final = {
        "SUPPORT_PASSWORD": SUPPORT.password,
        "INFO_PASSWORD": INFO.password,
    }
    recipient = ADA.username

    def __init__(
        self, authority: Authority, dovecot: Dovecot, postfix: Postfix, mailboxes: Mailboxes
    ) -> None:
        self.ca_file = authority.certificate
        self.ports = {"smtp": postfix.ports[Door(SMTP, 465, ("smtpd_tls_wrappermode=yes",))],
                      "imap": dovecot.tls_port}  # fmt: skip
        self._postfix = postfix
        self._mailboxes = mailboxes

    def taken(self, message_id: str) -> int:
        """How often a mail is in its reader's inbox, once the queue is empty."""
        self._postfix.settled_log()
        queue = self._postfix.folder / "queue"
        wait_until(
            lambda: (
                not any(
                    path.is_file()
                    for name in ("maildrop", "incoming", "active", "deferred")
                    for path in (queue / name).rglob("*")
                )
            ),
            "the queue of Postfix is empty",
            seconds=30,
        )
        return self._mailboxes.count(ADA, "INBOX", message_id)


def connect_to(office: Office, links: Mapping[str, int]) -> str:
    """``RECONCILER_CONNECT_TO`` for the servers, through the links to some of them."""
    usual = {"smtp": 465, "imap": 993}
    return " ".join(
        f"{office.hosts[name]}:{port}={LOOPBACK}:{links.get(name, office.ports[name])}"
        for name, port in usual.items()
    )


_DOCUMENTS: Final = """\
kind: EmailConnector
name: support
display_name: {label}
save_sent: {save_sent}
imap: {{server: {imap}, port: 993, use_ssl: true, username: support@{domain}, password: env:SUPPORT_PASSWORD}}
enable_mail_send_from: true
smtp: {{server: {smtp}, port: 465, use_ssl: true, email_address: support@{domain}, use_same_credentials: true}}
---
kind: EmailConnector
name: info
display_name: Enquiries
imap: {{server: {imap}, port: 993, use_ssl: true, username: info@{domain}, password: env:INFO_PASSWORD}}
---
kind: Group
name: team
members: {{users: [lead@{domain}, first@{domain}, second@{domain}]}}
---
kind: Roles
administrators: {{users: [lead@{domain}, first@{domain}, second@{domain}]}}
---
kind: Application
name: grafana
user: first@{domain}
password: env:GRAFANA_SMTP_PASSWORD
"""


def documents(office: Office, label: str, *, save_sent: str = "never") -> str:
    """The configuration; ``label`` is what an apply changes."""
    return _DOCUMENTS.format(label=label, save_sent=save_sent, domain=office.domain, **office.hosts)
