"""The mail settings of other programs, read line by line: variables, compose files, properties, URLs, msmtprc.

A password is dropped as soon as its line is read: no value here contains one, and no remark
repeats an unknown value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from reconciler.discovery.found import HIGHEST_PORT, FoundServer, host_of
from reconciler.model.connector import Security
from reconciler.model.credential_rule import is_reserved
from reconciler.model.fields import ADDRESS_PATTERN, PRINCIPAL_PATTERN, TEXT_PATTERN
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADDRESS: Final = re.compile(ADDRESS_PATTERN.strip("^$"))
_PRINCIPAL: Final = re.compile(PRINCIPAL_PATTERN.strip("^$"))
_TEXT: Final = re.compile(TEXT_PATTERN.strip("^$"))
_FROM: Final = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]+)>")
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_ASSIGNMENT: Final = re.compile(
    r"\s*(?:-\s+|export\s+)?[\"']?([A-Za-z][A-Za-z0-9_.-]*)[\"']?\s*[=:]\s*(.*?)\s*"
)
_ACCESS_KEY: Final = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{12,}")
"""Amazon's access keys: a user name that rotates with its password."""

PREFIXES: Final = ("GF_SMTP_", "SMTP_", "EMAIL_", "MAIL_", "SPRING_MAIL_")
_URLS: Final = frozenset({"MAILER_DSN", "SMTP_URL", "EMAIL_URL", "MAIL_URL"})
_ROLES: Final = {
    "host": ("HOST", "SERVER", "HOSTNAME", "ADDRESS", "SMTP_HOST"),
    "port": ("PORT", "SMTP_PORT"),
    "user": ("USER", "USERNAME", "HOST_USER", "LOGIN", "USER_NAME"),
    "password": ("PASSWORD", "PASS", "HOST_PASSWORD", "PASSWD", "SECRET"),
    "from": ("FROM", "FROM_ADDRESS", "FROM_EMAIL", "SENDER"),
    "name": ("FROM_NAME", "SENDER_NAME"),
    "mode": ("ENCRYPTION", "SECURITY", "SCHEME", "STARTTLS_POLICY"),
    "starttls": ("USE_TLS", "TLS", "STARTTLS", "PROPERTIES_MAIL_SMTP_STARTTLS_ENABLE"),
    "implicit": ("USE_SSL", "SSL", "SECURE", "PROPERTIES_MAIL_SMTP_SSL_ENABLE"),
}
_ROLE_OF: Final = {suffix: role for role, suffixes in _ROLES.items() for suffix in suffixes}
_ROLE_OF_MSMTP: Final = {
    "host": "host", "port": "port", "user": "user", "password": "password", "passwordeval": "password",
    "from": "from", "tls": "tls", "tls_starttls": "tls_starttls",
}  # fmt: skip
_KNOWN_MSMTP: Final = frozenset(
    {"account", "defaults", "auth", "logfile", "syslog", "tls_trust_file"}
)
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_MODES: Final = {
    "ssl": Security.IMPLICIT, "smtps": Security.IMPLICIT, "implicit": Security.IMPLICIT,
    "tls": Security.STARTTLS, "starttls": Security.STARTTLS, "mandatorystarttls": Security.STARTTLS,
}  # fmt: skip
_IMPLICIT_PORT: Final = 465


class Remark(Struct, frozen=True):
    """A remark on a line that was not imported; it repeats no value."""

    line: int
    text: str


@dataclass(slots=True)
class ProgramSettings:
    """A file's settings for sending; None where missing or unusable."""

    server: FoundServer | None = None
    address: str | None = None
    from_name: str | None = None
    username: str | None = None
    password: SecretRef | None = None
    signs_in: bool = False
    remarks: list[Remark] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Item:
    line: int
    key: str
    role: str
    value: str = field(repr=False)


def read_program_settings(text: str) -> ProgramSettings:
    """Read a file in any of these formats; raises nothing."""
    found = ProgramSettings()
    lines = text.splitlines()
    is_msmtp = any(re.match(r"\s*(?:account\s+\S|defaults\s*$)", line) for line in lines)
    items = list(_msmtp(lines, found) if is_msmtp else _variables(lines, found))
    values: dict[str, _Item] = {}
    for item in items:
        if item.role == "password":
            _password(item, found)
        elif item.role == "url":
            _url(item, found)
        elif item.role in values:
            _say(found, item, "is a second value, and the first was taken")
        else:
            values[item.role] = item
    _sender(values, found)
    _user(values.get("user"), found)
    if found.server is None:
        _server(values, found)
    return found


def _variables(lines: list[str], found: ProgramSettings) -> Iterator[_Item]:
    within = _SpringKeys()
    for number, line in enumerate(lines, 1):
        match = _ASSIGNMENT.fullmatch(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        value = _plain(match[2])
        name = within.path_of(line, match[1], value)
        key = re.sub(r"[.-]", "_", name).upper()
        if key in _URLS:
            yield _Item(number, name, "url", value)
        elif key == "DEFAULT_FROM_EMAIL":
            yield _Item(number, name, "from", value)
        elif prefix := next((item for item in PREFIXES if key.startswith(item)), None):
            role = _ROLE_OF.get(key.removeprefix(prefix))
            if role is not None:
                yield _Item(number, name, role, value)
            elif value:
                found.remarks.append(Remark(number, f"{name} was not understood"))


class _SpringKeys:
    """The parent keys of a line in Spring's ``application.yaml``, such as ``spring``."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def path_of(self, line: str, key: str, value: str) -> str:
        """The key with its parents, as in properties files; alone in any other file."""
        indent = len(line) - len(line.lstrip(" "))
        while self._open and self._open[-1][0] >= indent:
            self._open.pop()
        path = ".".join([*(name for _, name in self._open), key])
        if not value and (self._open or key == "spring"):
            self._open.append((indent, key))
        return path


def _msmtp(lines: list[str], found: ProgramSettings) -> Iterator[_Item]:
    accounts = 0
    for number, line in enumerate(lines, 1):
        key, _, value = line.strip().partition(" ")
        if not key or key.startswith("#"):
            continue
        accounts += key == "account" and ":" not in value
        if accounts > 1:
            found.remarks.append(Remark(number, "only the first account was read"))
            return
        role = _ROLE_OF_MSMTP.get(key)
        if role is not None:
            yield _Item(number, key, role, _plain(value.strip()))
        elif key not in _KNOWN_MSMTP:
            found.remarks.append(Remark(number, "a line was not understood"))


def _plain(text: str) -> str:
    """A value without its quotes, or without a trailing comment."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def _say(found: ProgramSettings, item: _Item, what: str) -> None:
    found.remarks.append(Remark(item.line, f"{item.key} {what}"))


def _password(item: _Item, found: ProgramSettings) -> None:
    if not item.value:
        return
    found.signs_in = True
    match = _VARIABLE.fullmatch(item.value)
    reference = SecretRef("env", match[1] or match[2]) if match else None
    if reference is not None and not is_reserved(reference):
        found.password = reference
    else:
        _say(found, item, "was not copied: put the secret where the connector refers to")


def _url(item: _Item, found: ProgramSettings) -> None:
    """Parse a URL.

    One with extra separators is rejected: part of the password could look like the host.
    """
    try:
        parts = urlsplit(item.value)
        port, name, password = parts.port, parts.username, parts.password
    except ValueError:
        parts, port, name, password = urlsplit(""), None, None, None
    implicit = parts.scheme in {"smtps", "smtp+ssl"}
    host = host_of(parts.hostname or "")
    whole = item.value.count("@") == parts.netloc.count("@") <= 1
    if parts.scheme not in {"smtp", "smtps", "smtp+ssl", "smtp+tls"} or host is None or not whole:
        _say(found, item, "is not a URL of an SMTP server that can be read, so it was left out")
        return
    if password:
        found.signs_in = True
        _say(found, item, "holds a password, which was not copied")
    if parts.query or parts.path.strip("/"):
        _say(found, item, "has options, which were left out")
    usual = _IMPLICIT_PORT if implicit else 587
    mode = Security.IMPLICIT if implicit or port == _IMPLICIT_PORT else Security.STARTTLS
    found.server = FoundServer(Protocol.SMTP, host, port or usual, mode)
    if name:
        _user(_Item(item.line, item.key, "user", unquote(name)), found)


def _sender(values: dict[str, _Item], found: ProgramSettings) -> None:
    item = values.get("from")
    if item is not None:
        match = _FROM.fullmatch(item.value)
        address = match["address"].strip() if match else item.value
        if _ADDRESS.fullmatch(address):
            found.address = address
            name = match["name"].strip(" \"'") if match else ""
            found.from_name = name if _TEXT.fullmatch(name) else None
        elif item.value:
            _say(found, item, "is not an address, so it was left out")
    name_item = values.get("name")
    if name_item is not None and name_item.value:
        if _TEXT.fullmatch(name_item.value) and "$" not in name_item.value:
            found.from_name = name_item.value
        else:
            _say(found, name_item, "was not understood")


def _user(item: _Item | None, found: ProgramSettings) -> None:
    if item is None or not item.value:
        return
    found.signs_in = True
    variable = _VARIABLE.fullmatch(item.value)
    if variable:
        found.username = str(SecretRef("env", variable[1] or variable[2]))
    elif _ACCESS_KEY.fullmatch(item.value):
        found.username = f"env:{re.sub(r'[^A-Za-z0-9]', '_', item.key).upper()}"
        _say(found, item, f"is an access key: the connector refers to {found.username}")
    elif _PRINCIPAL.fullmatch(item.value) and SecretRef.found_in(item.value) is None:
        found.username = item.value
        if found.address is None and _ADDRESS.fullmatch(item.value):
            found.address = item.value
    else:
        _say(found, item, "is not a user name that can be written, so it was left out")


def _server(values: dict[str, _Item], found: ProgramSettings) -> None:
    item = values.get("host")
    if item is None or not item.value:
        return
    name, _, given = item.value.partition(":")
    host, port_item = host_of(name), values.get("port")
    text = port_item.value if port_item is not None else given or "587"
    port = int(text) if re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) else 0
    if host is None or not 1 <= port <= HIGHEST_PORT:
        _say(found, item, "is not a mail server with a full name and a port, so it was left out")
        return
    found.server = FoundServer(Protocol.SMTP, host, port, _security(values, port, found))


def _security(values: dict[str, _Item], port: int, found: ProgramSettings) -> Security:
    """The mode that the file requests; no TLS becomes mandatory STARTTLS, with a remark."""

    def is_on(role: str) -> bool:
        return role in values and values[role].value.lower() in _TRUE

    mode = values.get("mode")
    if mode is not None and mode.value.lower() in _MODES:
        named = _MODES[mode.value.lower()]
        # Laravel and others write "tls" for port 465 too.
        return Security.IMPLICIT if port == _IMPLICIT_PORT else named
    if is_on("implicit") or port == _IMPLICIT_PORT:
        return Security.IMPLICIT
    if is_on("tls") and "tls_starttls" in values and not is_on("tls_starttls"):
        return Security.IMPLICIT
    off = mode or next((values[key] for key in ("starttls", "tls") if key in values), None)
    if off is not None and not is_on("starttls") and not is_on("tls"):
        _say(found, off, "asks for no TLS: the connector requires STARTTLS all the same")
    return Security.STARTTLS
