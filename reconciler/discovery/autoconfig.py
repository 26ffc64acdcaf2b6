"""The autoconfig file of a domain, as Mozilla describes it, read without trusting its author.

https://www.bucksch.org/1/projects/thunderbird/autoconfiguration/config-file-format.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from reconciler.discovery.found import HIGHEST_PORT, FoundServer, FoundSettings, Source, host_of
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from reconciler.model.provider import SignInMethod

LARGEST: Final = 128 * 1024
"""The maximum size of a file in octets; real ones have 5,000 at most."""
MOST_ELEMENTS: Final = 2_000
DEEPEST: Final = 16
LONGEST_TEXT: Final = 500

_SECURITY: Final = {"SSL": Security.IMPLICIT, "STARTTLS": Security.STARTTLS}
_METHODS: Final = {
    "password-cleartext": SignInMethod.PASSWORD,
    "password-encrypted": SignInMethod.PASSWORD,
    "plain": SignInMethod.PASSWORD,
    "secure": SignInMethod.PASSWORD,
    "OAuth2": SignInMethod.OAUTH2,
}
_WITHOUT_SIGN_IN: Final = frozenset({"none", "client-IP-address", "smtp-after-pop"})
_TYPES: Final = {
    ("incomingServer", "imap"): Protocol.IMAP,
    ("outgoingServer", "smtp"): Protocol.SMTP,
}
_FIELDS: Final = frozenset({"hostname", "port", "socketType", "username", "authentication"})


class NotAutoconfig(Exception):
    """The text is not a usable autoconfig file; the message says why without quoting it."""


@dataclass(slots=True)
class _Server:
    protocol: Protocol
    fields: dict[str, list[str]] = field(default_factory=dict)

    def first(self, name: str) -> str:
        return next(iter(self.fields.get(name, ())), "").strip()


@dataclass(slots=True)
class _Collector:
    """Collects the servers while expat reads."""

    servers: list[_Server] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    elements: int = 0
    text: str | None = None
    open_server: _Server | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self.path.append(name)
        if self.elements > MOST_ELEMENTS or len(self.path) > DEEPEST:
            raise NotAutoconfig("the file has too many elements")
        if self.elements == 1 and name != "clientConfig":
            raise NotAutoconfig("the file does not begin with <clientConfig>")
        if self.path[:-1] == ["clientConfig", "emailProvider"]:
            protocol = _TYPES.get((name, attributes.get("type", "").lower()))
            self.open_server = _Server(protocol) if protocol else None
        elif self.open_server is not None and len(self.path) == _DEPTH_OF_FIELDS:
            self.text = "" if name in _FIELDS else None

    def characters(self, text: str) -> None:
        if self.text is not None:
            self.text += text
            if len(self.text) > LONGEST_TEXT:
                raise NotAutoconfig("a value in the file is too long")

    def end(self, name: str) -> None:
        if self.text is not None and self.open_server is not None:
            self.open_server.fields.setdefault(name, []).append(self.text)
            self.text = None
        self.path.pop()
        if self.open_server is not None and len(self.path) == _DEPTH_OF_FIELDS - 2:
            self.servers.append(self.open_server)
            self.open_server = None


_DEPTH_OF_FIELDS: Final = 4


def read_autoconfig(data: bytes, address: str, source: Source = Source.AUTOCONFIG) -> FoundSettings:
    """The settings for an address: the first server with TLS for each protocol.

    Raises NotAutoconfig for a file that has a document type or entities, is too large or deep,
    is not XML, or names no usable server.
    """
    reader = _Collector()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    if len(data) > LARGEST:
        raise NotAutoconfig("the file is too large")
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat's signature
    except (expat.ExpatError, LookupError, ValueError):
        raise NotAutoconfig("the file is not XML") from None
    found: dict[Protocol, FoundServer] = {}
    methods: list[SignInMethod] = []
    anonymous = False
    for server in reader.servers:
        usable = _usable(server, address)
        if usable is None or server.protocol in found:
            continue
        found[server.protocol] = usable
        named = [text.strip() for text in server.fields.get("authentication", ())]
        methods += [_METHODS[name] for name in named if name in _METHODS]
        if server.protocol is Protocol.SMTP:
            anonymous = bool(named) and set(named) <= _WITHOUT_SIGN_IN
    if not found:
        raise NotAutoconfig("the file names no IMAP or SMTP server with TLS")
    return FoundSettings(
        source=source,
        imap=found.get(Protocol.IMAP),
        smtp=found.get(Protocol.SMTP),
        sign_in=tuple(dict.fromkeys(methods)),
        anonymous=anonymous,
    )


def _refuse(*_: object) -> int:
    raise NotAutoconfig("the file declares a document type or entities")


def _usable(server: _Server, address: str) -> FoundServer | None:
    host, port = host_of(_filled(server.first("hostname"), address)), server.first("port")
    security = _SECURITY.get(server.first("socketType"))
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= len("65535") else 0
    if host is None or security is None or not 1 <= number <= HIGHEST_PORT:
        return None
    name = _filled(server.first("username"), address)
    usual = not name or name == address or "%" in name or not _is_username(name)
    return FoundServer(server.protocol, host, number, security, None if usual else name)


def _filled(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    for word, value in (
        ("%EMAILADDRESS%", address),
        ("%EMAILLOCALPART%", local),
        ("%EMAILDOMAIN%", domain),
    ):
        text = text.replace(word, value)
    return text


def _is_username(text: str) -> bool:
    return text.isprintable() and not set(text) & set(" ,;<>:")
