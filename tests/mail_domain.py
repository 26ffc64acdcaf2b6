"""A mail domain on loopback: its name server, its web site and its mail servers, truthful or hostile."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import trustme

from reconciler.mail.dial import ConnectTo
from tests.hostile.server import Gone, HostileServer, Peer, Script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

DOMAIN: Final = "contoso.example"

HOSTS: Final = (
    *(f"{name}.{DOMAIN}" for name in ("autoconfig", "imap", "smtp", "mail")),
    DOMAIN,
    "elsewhere.example",
)
"""What the good certificate is for."""

AUTOCONFIG: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="contoso.example">
    <domain>contoso.example</domain>
    <incomingServer type="pop3">
      <hostname>pop.contoso.example</hostname><port>995</port><socketType>SSL</socketType>
    </incomingServer>
    <incomingServer type="imap">
      <hostname>{imap}</hostname><port>993</port><socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname>{smtp}</hostname><port>587</port><socketType>STARTTLS</socketType>
      <username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication>
    </outgoingServer>
  </emailProvider>
</clientConfig>
"""


def autoconfig(imap: str = f"imap.{DOMAIN}", smtp: str = f"smtp.{DOMAIN}") -> bytes:
    """An autoconfig file as domains have it."""
    return AUTOCONFIG.format(imap=imap, smtp=smtp).encode()


class NameServerStub:
    """Answers questions over UDP on loopback; ``records`` maps (name, type) to texts of records.

    ``answer`` replaces the whole of it, for servers that lie.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.questions: list[str] = []
        self.answer: Callable[[dns.message.Message], bytes | None] = self._answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._socket.getsockname()
        return str(host), int(port)

    def close(self) -> None:
        """Stop; the datagram without content wakes the thread."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.place)
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, sender = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            self.questions.append(question.name.to_text(omit_final_dot=True))
            answer = self.answer(query)
            if answer is not None:
                self._socket.sendto(answer, sender)

    def _answer(self, query: dns.message.Message) -> bytes:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        response = dns.message.make_response(query)
        found = self.records.get((name, kind))
        if found:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


def http(status: int, body: bytes = b"", **headers: str) -> Script:
    """A site that gives every request the same answer."""

    def serve(peer: Peer) -> None:
        while peer.line().strip():
            pass
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        peer.send(f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(body)}\r\n\r\n")
        peer.send(body)

    return serve


def imap_greeting(peer: Peer) -> None:
    """An IMAP server that somebody only looks at."""
    peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
    while True:
        peer.line()


def smtp_greeting(peer: Peer) -> None:
    """An SMTP server that somebody only looks at."""
    peer.send("220 mail ready\r\n")
    while True:
        peer.send("250 mail\r\n" if peer.line().upper().startswith("EHLO") else "502 no\r\n")


class MailDomain:
    """All of it together; connections to anything that was not set up are refused at once."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = str(folder / "domain-ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        self.context = _context(authority.issue_cert(*HOSTS))
        self.wrong = _context(authority.issue_cert("nobody.example"))
        self.names = NameServerStub()
        self.servers: dict[tuple[str, int], HostileServer] = {}
        self._stack = ExitStack()
        self._stack.callback(self.names.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def serve(
        self, host: str, port: int, script: Script, context: ssl.SSLContext | None = None
    ) -> HostileServer:
        """Put a server with TLS from the first byte at a place."""
        server = self._stack.enter_context(HostileServer(script, context or self.context))
        self.servers[host, port] = server
        return server

    def mx(self, *hosts: str) -> None:
        """Give the domain mail exchangers."""
        self.names.records[DOMAIN, "MX"] = [
            f"{number} {host}." for number, host in enumerate(hosts, 1)
        ]

    def srv(self, service: str, *targets: str) -> None:
        """Give the domain a service; a target is ``priority weight port host``."""
        self.names.records[f"{service}._tcp.{DOMAIN}", "SRV"] = [f"{item}." for item in targets]

    @property
    def redirections(self) -> tuple[str, ...]:
        """The entries of --connect-to, and the one that forbids everything else."""
        entries = (
            f"{host}:{port}=127.0.0.1:{server.port}"
            for (host, port), server in self.servers.items()
        )
        return (*entries, "*")

    @property
    def connect_to(self) -> ConnectTo:
        """The same as a value."""
        return ConnectTo.parse(self.redirections)

    @property
    def said(self) -> str:
        """Everything that clients said to any of the servers."""
        return "\n".join(line for server in self.servers.values() for line in server.lines)

    def options(self) -> list[str]:
        """The options that lead a command here."""
        host, port = self.names.place
        redirected = [word for item in self.redirections for word in ("--connect-to", item)]
        return ["--nameserver", f"{host}:{port}", "--ca-file", self.ca_file, *redirected]


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def swallow(peer: Peer) -> None:
    """Take a request and never answer it."""
    peer.hold()
    raise Gone
