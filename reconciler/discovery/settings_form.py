"""The settings form of a connector, as `export` writes it or as a table: labels beside or above their values.

A password is dropped as soon as it is read; only a reference is kept.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.config.build import IMPLICIT_PORTS
from reconciler.discovery.found import HIGHEST_PORT, FoundServer, host_of
from reconciler.discovery.program_settings import Remark
from reconciler.model.connector import Security
from reconciler.model.credential_rule import is_reserved
from reconciler.model.fields import ADDRESS_PATTERN, PRINCIPAL_PATTERN, TEXT_PATTERN
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEPT: Final = re.compile(r"\(kept in (\S+)\)")
_LINE: Final = re.compile(r"\s*([A-Za-z_/ ]+?)\s*:\s*(.*?)\s*")
_LABELS: Final = ("imap server", "smtp server")
_SERVERS: Final = ("imapserver", "smtpserver")
_IGNORED: Final = frozenset({"imapsignin", "smtpsignin", "theformhasnofieldfor"})
_TAKEN: Final = frozenset({
    "imapserver", "imapserverport", "imapusessl", "imapsecurity", "usernameemail", "imappassword",
    "enablemailsendfrom", "smtpserver", "smtpserverport", "smtpusessl", "smtpsecurity", "emailaddress",
    "usesamecredentialsasabove", "fromname",
})  # fmt: skip


@dataclass(slots=True)
class FormSettings:
    """The values of a form; None where missing or unusable."""

    imap: FoundServer | None = None
    smtp: FoundServer | None = None
    address: str | None = None
    from_name: str | None = None
    username: str | None = None
    password: SecretRef | None = None
    send: bool = True
    remarks: list[Remark] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Entry:
    line: int
    label: str
    value: str = field(repr=False)


def read_form(text: str) -> FormSettings | None:
    """Read a form; None if the text is not a form. Raises nothing."""
    entries = list(_entries(text))
    if not any(entry.label.lower() in _LABELS for entry in entries):
        return None  # such as a compose file with SMTP_SERVER
    known: dict[str, _Entry] = {}
    protocol = "imap"
    for entry in entries:
        key = re.sub(r"[^a-z]", "", entry.label.lower())
        if key in _SERVERS:
            protocol = key[:4]
        if key in {"usessl", "password"}:
            key = protocol + key
        known.setdefault(key, entry)
    found = FormSettings()
    found.imap = _server(Protocol.IMAP, known, found)
    found.smtp = _server(Protocol.SMTP, known, found)
    found.send = _text(known, "enablemailsendfrom").lower() not in {"no", "false", "0"}
    address, name = _text(known, "emailaddress"), _text(known, "usernameemail")
    found.username = name if re.fullmatch(PRINCIPAL_PATTERN, name) else None
    found.address = next(
        (item for item in (address, name) if re.fullmatch(ADDRESS_PATTERN, item)), None
    )
    from_name = _text(known, "fromname")
    found.from_name = from_name if re.fullmatch(TEXT_PATTERN, from_name) else None
    _password(known.get("imappassword") or known.get("smtppassword"), found)
    _other_password(known.get("imappassword"), known.get("smtppassword"), found)
    for key, entry in known.items():
        if key not in _TAKEN | _IGNORED and entry.value and key != "smtppassword":
            found.remarks.append(Remark(entry.line, f"{entry.label} was left out"))
    return found


def _entries(text: str) -> Iterator[_Entry]:
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    if _LINE.fullmatch(head):
        for number, line in enumerate(lines, 1):
            match = _LINE.fullmatch(line)
            if match is not None:
                yield _Entry(number, match[1], match[2])
        return
    delimiter = max(",;\t", key=head.count)
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if rows and len(rows[0]) > 2:  # noqa: PLR2004 - more than a label and its value
        for label, value in zip(rows[0], rows[1] if len(rows) > 1 else (), strict=False):
            yield _Entry(2, label.strip(), value.strip())
        return
    for number, row in enumerate(rows, 1):
        yield _Entry(number, row[0].strip(), row[1].strip() if len(row) > 1 else "")


def _text(known: dict[str, _Entry], key: str) -> str:
    return known[key].value if key in known else ""


def _server(
    protocol: Protocol, known: dict[str, _Entry], found: FormSettings
) -> FoundServer | None:
    entry = known.get(f"{protocol}server")
    if entry is None or not entry.value:
        return None
    host, text = host_of(entry.value), _text(known, f"{protocol}serverport")
    port = int(text) if re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) else 0
    if host is None or not 1 <= port <= HIGHEST_PORT:
        found.remarks.append(
            Remark(entry.line, f"{entry.label} is not a full name with a port, so it was left out")
        )
        return None
    usual = Security.IMPLICIT if port in IMPLICIT_PORTS else Security.STARTTLS
    named = _text(known, f"{protocol}security")
    security = Security(named) if named in ("implicit", "starttls") else usual
    if _text(known, f"{protocol}usessl").lower() in {"no", "false", "0"}:
        line = known[f"{protocol}usessl"].line
        found.remarks.append(
            Remark(line, "Use SSL is off: the connector requires TLS all the same")
        )
    return FoundServer(protocol, host, port, security)


def _password(entry: _Entry | None, found: FormSettings) -> None:
    if entry is None or not entry.value or entry.value.startswith("(none"):
        return
    kept = _KEPT.fullmatch(entry.value)
    reference = SecretRef.found_in(kept[1] if kept else entry.value)
    if reference is not None and not is_reserved(reference):
        found.password = reference
    else:
        text = f"{entry.label} was not copied: put the secret where the connector refers to"
        found.remarks.append(Remark(entry.line, text))


def _other_password(imap: _Entry | None, smtp: _Entry | None, found: FormSettings) -> None:
    """Remark on a separate SMTP password, which is left out; nothing is lost if both are the same."""
    if imap is None or smtp is None or not imap.value or not smtp.value:
        return
    if smtp.value != imap.value and not smtp.value.startswith("(none"):
        text = f"{smtp.label} of the SMTP server was left out: both accounts get the secret of IMAP"
        found.remarks.append(Remark(smtp.line, text))
