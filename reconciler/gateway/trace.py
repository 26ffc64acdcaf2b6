"""The Received field that the gateway adds to a mail, and the count of those in it."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Final

HOPS: Final = 50
"""The number of Received fields that indicates a loop; Postfix has the same limit."""

_RECEIVED: Final = re.compile(rb"(?im)^received[ \t]*:")
_HELO: Final = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")


def is_in_a_loop(content: bytes) -> bool:
    """Whether a mail has passed too many servers."""
    head = content.partition(b"\r\n\r\n")[0]
    return len(_RECEIVED.findall(head)) >= HOPS


def received_field(
    *, helo: str, peer: str, application: str, host_name: str, is_encrypted: bool
) -> bytes:
    """Write the Received field (RFC 5321 section 4.4); ESMTPSA and ESMTPA are from RFC 3848."""
    named = helo if _HELO.fullmatch(helo) else "unknown"
    address = f"IPv6:{peer}" if ":" in peer else peer
    how = "ESMTPSA" if is_encrypted else "ESMTPA"
    return (
        f"Received: from {named} ([{address}])\r\n\t(signed in as {application})\r\n"
        f"\tby {host_name} with {how};\r\n\t{formatdate(localtime=False)}\r\n"
    ).encode("ascii", "replace")
