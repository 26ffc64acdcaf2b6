"""A mail server and a token endpoint that work, reject everything or fail, and repeat what they were sent."""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from contextlib import ExitStack
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qsl

from tests.echoes import COVERED, NOT_COVERED
from tests.hostile.server import Gone, HostileServer, Peer
from tests.sentinels import PASSWORDS, TOKENS

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

MAIL_HOST: Final = "mail.contoso.example"
LOGIN_HOST: Final = "login.contoso.example"

DEVICE: Final = {
    "device_code": "a-code-of-the-device", "user_code": "BCDF-GHJK", "interval": 1,
    "verification_uri": f"https://{LOGIN_HOST}/device",
}  # fmt: skip
_TOKENS: Final = {PASSWORDS[name]: token for name, token in TOKENS.items()}
_CAPABILITIES: Final = "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 NAMESPACE QUOTA UIDPLUS"
_BEARER: Final = re.compile(r"auth=Bearer ([^\x01]+)")


class Mood(StrEnum):
    """How the servers answer."""

    WORKS = auto()
    """Everything is done."""

    REJECTS = auto()
    """Every sign-in and every request for a token is rejected, with an echo in any encoding."""

    COMPLAINS = auto()
    """Sign-ins work; one of the commands after them is rejected, with an echo that is recognised."""

    ACCEPTS = auto()
    """Mail is taken with an echo; the mailbox is read, and takes no copies."""

    HANGS_UP = auto()
    """The connection ends with an echo as the answer to the sign-in."""


class EchoingServers:
    """IMAP, SMTP and HTTPS on loopback; ``mood`` may change at any time.

    ``received`` are the secrets that have arrived.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.mood = Mood.WORKS
        self.received: set[str] = set()
        self._every = itertools.cycle((*COVERED.values(), *NOT_COVERED.values()))
        self._recognised = itertools.cycle(COVERED.values())
        self._turn = itertools.count()
        self._lock = threading.Lock()
        self._servers = {
            f"{MAIL_HOST}:993": HostileServer(self._imap, context),
            f"{MAIL_HOST}:465": HostileServer(self._smtp, context),
            f"{LOGIN_HOST}:443": HostileServer(self._tokens, context),
        }
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for server in self._servers.values():
            self._stack.enter_context(server)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def connect_to(self) -> str:
        """The redirections to them, as the environment has them."""
        return " ".join(
            f"{place}=127.0.0.1:{server.port}" for place, server in self._servers.items()
        )

    def _echo(self, secret: str, *, recognised: bool) -> str:
        with self._lock:
            encode = next(self._recognised if recognised else self._every)
        text = encode(secret)
        return "".join(item for item in text if item.isprintable() or item == "\u200b")

    def _next(self, number: int) -> int:
        with self._lock:
            return next(self._turn) % number

    def _signed_in(self, initial: str) -> str:
        text = base64.b64decode(initial).decode()
        bearer = _BEARER.search(text)
        secret = bearer[1] if bearer else text.split("\0")[-1]
        self.received.add(secret)
        return secret

    def _imap(self, peer: Peer) -> None:
        peer.send(f"* OK [CAPABILITY {_CAPABILITIES}] ready\r\n")
        secret = ""
        fails_at = ("LIST", "EXAMINE", "NAMESPACE", "GETQUOTAROOT")[self._next(4)]
        while True:
            tag, _, rest = peer.line().partition(" ")
            verb, _, arguments = rest.partition(" ")
            verb = verb.upper()
            if verb == "UID":
                verb = arguments.partition(" ")[0].upper()
            if verb == "LOGOUT":
                return
            if verb == "AUTHENTICATE":
                secret = self._signed_in(arguments.split()[-1])
                echo = self._echo(secret, recognised=False)
                if self.mood is Mood.HANGS_UP:
                    peer.send(f"* BYE wrong: {echo}\r\n")
                    raise Gone
                if self.mood is Mood.REJECTS:
                    peer.send(f"{tag} NO [AUTHENTICATIONFAILED] wrong: {echo}\r\n")
                    continue
                peer.send(f"{tag} OK [CAPABILITY {_CAPABILITIES}] welcome\r\n")
                continue
            if verb == "APPEND":
                peer.send("+ go on\r\n")
                size = re.search(r"\{(\d+)\+?\}$", arguments)
                peer.octets(int(size[1]) + 2 if size else 0)
            echo = self._echo(secret, recognised=True)
            quoted = echo.replace("\\", "\\\\").replace('"', '\\"')
            refuses = self.mood is Mood.COMPLAINS and verb == fails_at
            if refuses or (self.mood is Mood.ACCEPTS and verb in ("APPEND", "SEARCH")):
                peer.send(f"{tag} NO [CANNOT] not with {echo}\r\n")
                continue
            works = self.mood is Mood.WORKS
            name = "Folder" if works else quoted
            peer.send(
                {
                    "CAPABILITY": f"* CAPABILITY {_CAPABILITIES}{'' if works else ' ' + echo}\r\n",
                    "NAMESPACE": '* NAMESPACE (("" "/")) NIL NIL\r\n',
                    "LIST": f'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\n* LIST () "/" "{name}"\r\n',
                    "EXAMINE": "* 3 EXISTS\r\n",
                    "GETQUOTAROOT": f'* QUOTAROOT INBOX "{name}"\r\n* QUOTA "{name}" (STORAGE 1 9)\r\n',
                    "SEARCH": "* SEARCH\r\n",
                }.get(verb, "")
                + f"{tag} OK done{'' if works else ' with ' + echo}\r\n"
            )

    def _smtp(self, peer: Peer) -> None:
        peer.send(f"220 {MAIL_HOST} ESMTP\r\n")
        secret = ""
        fails_at = ("MAIL", "RCPT", "DATA", ".")[self._next(4)]
        while True:
            verb, _, arguments = peer.line().partition(" ")
            verb = verb.upper()
            if verb == "QUIT":
                return
            if verb == "AUTH":
                secret = self._signed_in(arguments.split()[-1])
                echo = self._echo(secret, recognised=False)
                if self.mood is Mood.HANGS_UP:
                    peer.send(f"421 4.7.0 wrong: {echo}\r\n")
                    raise Gone
                if self.mood is Mood.REJECTS:
                    peer.send(f"535 5.7.8 wrong: {echo}\r\n")
                    continue
                peer.send("235 2.7.0 welcome\r\n")
                continue
            if verb == "EHLO":
                peer.send(f"250-{MAIL_HOST}\r\n250-SIZE 10000000\r\n250 AUTH PLAIN XOAUTH2\r\n")
                continue
            self._smtp_answer(peer, verb, secret, fails_at)

    def _smtp_answer(self, peer: Peer, verb: str, secret: str, fails_at: str) -> None:
        refuses = self.mood is Mood.COMPLAINS
        said = "" if self.mood is Mood.WORKS else f" {self._echo(secret, recognised=True)}"
        if refuses and verb == fails_at:
            peer.send(f"550 5.7.1 not with{said}\r\n")
            return
        if verb != "DATA":
            peer.send(f"250 2.0.0 ok{said}\r\n")
            return
        peer.send(f"354 go on{said}\r\n")
        while peer.line() != ".":
            pass
        code = "554 5.6.0 not with" if refuses and fails_at == "." else "250 2.0.0 queued as"
        peer.send(f"{code}{said}\r\n")

    def _tokens(self, peer: Peer) -> None:
        size = 0
        while line := peer.line():
            name, _, value = line.partition(": ")
            size = int(value) if name.lower() == "content-length" else size
        form = dict(parse_qsl(peer.octets(size).decode()))
        login = (
            not {"device_code", "client_secret", "refresh_token"} & {*form} or "device_code" in form
        )
        # What a login is given is the very token that is there already.
        secret = (
            form.get("refresh_token") or form.get("client_secret") or PASSWORDS["by-refresh-token"]
        )
        answer: dict[str, object] = {"access_token": _TOKENS[secret], "expires_in": 3600}
        if login:
            answer |= {"refresh_token": secret} if "device_code" in form else DEVICE
        else:
            self.received.add(secret)
        status = "200 OK"
        if self.mood in (Mood.REJECTS, Mood.HANGS_UP):
            echo = self._echo(secret, recognised=False)
            status = "400 Bad Request"
            answer = {
                "error": "invalid_client" if self._next(2) else echo,
                "error_description": f"AADSTS7000215: wrong: {echo}",
            }
        body = json.dumps(answer | {"token_type": "Bearer"}).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        peer.send(head.encode() + body)
