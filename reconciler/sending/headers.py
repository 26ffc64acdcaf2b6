"""Header fields as they appear in a mail (RFC 5322 section 2.2, RFC 2047).

:class:`email.message.EmailMessage` folds them too, but in some releases of Python it encodes the comma
between two addresses, so that both are lost, and drops blanks of a long subject. So the fields of a
mail are written here, with the older encoder of the same library, and EmailMessage handles only the
body.
"""

from __future__ import annotations

import re
from email.header import Header
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.headerregistry import Address

_WIDTH = 76
_CRLF = "\r\n"
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,."]')


def text_field(name: str, text: str) -> str:
    """A field of free text, folded; non-ASCII or ambiguous text becomes encoded words."""
    plain = text.isascii() and "=?" not in text and max(map(len, text.split(" "))) < _WIDTH
    return _folded(name, text, "us-ascii" if plain else "utf-8")


def further_field(name: str, text: str) -> str:
    """A field of unknown syntax: ASCII stays, since it may be an address or a link."""
    return _folded(name, text, "us-ascii" if text.isascii() else "utf-8")


def _folded(name: str, text: str, charset: str) -> str:
    header = Header(text, charset, maxlinelen=_WIDTH, header_name=name)
    return f"{name}: {header.encode(splitchars=' ', linesep=_CRLF)}{_CRLF}"


def plain_field(name: str, value: str) -> str:
    """A field whose value is ours and short enough for a line."""
    return f"{name}: {value}{_CRLF}"


def address_field(name: str, addresses: Iterable[Address]) -> str:
    """A field of addresses, one a line. A non-ASCII local part stays (RFC 6532)."""
    return f"{name}: {f',{_CRLF} '.join(_mailbox(item) for item in addresses)}{_CRLF}"


def _mailbox(address: Address) -> str:
    shown = address.display_name
    if not shown:
        return address.addr_spec
    if not shown.isascii() or "=?" in shown or len(shown) > _WIDTH:
        phrase = Header(shown, "utf-8", maxlinelen=_WIDTH, header_name="Cc").encode(linesep=_CRLF)
        return f"{phrase}{_CRLF} <{address.addr_spec}>"
    if _SPECIALS.search(shown) or shown != " ".join(shown.split()):
        shown = '"' + re.sub(r'(["\\])', r"\\\1", shown) + '"'
    return f"{shown} <{address.addr_spec}>"
