"""Addresses as people write them, and as header fields and envelopes require them."""

from __future__ import annotations

import re
from email.errors import NonASCIILocalPartDefect
from email.headerregistry import Address
from email.policy import SMTP
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.mail.resolve import ascii_host

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[A-Za-z0-9:.]+\]")
_HINT = 'Write ada@example.com, or "Lovelace, Ada" <ada@example.com>.'
_LONGEST = 254
"""The maximum length of an envelope address, without its brackets (RFC 5321 section 4.5.3.1.3)."""


def read_addresses(texts: Iterable[str], field: str) -> tuple[Address, ...]:
    """Read the addresses of one field, each once; the domain is turned to ASCII (RFC 5890).

    Raises UsageError for an invalid address. Nothing is guessed: no mail is better than one to the
    wrong person.
    """
    if isinstance(texts, str):
        raise UsageError(
            f"{field} is one string, but must be several",
            hint="For example to=('ada@example.com',).",
        )
    found: dict[str, Address] = {}
    for text in texts:
        for address in _read(text, field):
            found.setdefault(address.addr_spec, address)
    return tuple(found.values())


def needs_utf8(addresses: Iterable[str]) -> bool:
    """Whether a local part is not ASCII, so that the server must support RFC 6531."""
    return any(not address.rpartition("@")[0].isascii() for address in addresses)


def refuse_control_characters(text: str, field: str) -> None:
    """Raise UsageError if a text could end its header field early, or cannot be written at all."""
    if _CONTROL.search(text):
        raise UsageError(f"{field} holds a control character or a line break")


def _read(text: str, field: str) -> tuple[Address, ...]:
    refuse_control_characters(text, field)
    if not text.strip():
        raise UsageError(f"{field} holds an empty address", hint=_HINT)
    try:
        header = SMTP.header_factory("To", text)
        defects = [item for item in header.defects if not isinstance(item, NonASCIILocalPartDefect)]
    except Exception:  # noqa: BLE001 - the library's parser breaks in many ways at what is no address
        raise UsageError(f"{field}: invalid address {text!r}", hint=_HINT) from None
    if defects:
        raise UsageError(f"{field}: invalid address {text!r}", hint=_HINT)
    return tuple(_checked(address, field) for address in header.addresses)


def _checked(address: Address, field: str) -> Address:
    domain = ascii_host(address.domain) if not address.domain.startswith("[") else address.domain
    spec = f"{address.username}@{domain}"
    # Encoded words are already decoded, and may have contained anything.
    refuse_control_characters(address.display_name, field)
    if not address.username or not _DOMAIN.fullmatch(domain) or not spec.isprintable():
        raise UsageError(f"{field}: invalid address {address.addr_spec!r}", hint=_HINT)
    if len(spec.encode()) > _LONGEST:
        raise UsageError(f"{field}: an address is longer than {_LONGEST} octets")
    return Address(address.display_name.strip(), address.username, domain)
