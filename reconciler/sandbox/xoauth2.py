"""XOAUTH2 from the server's side: what a client says, and what it is told when it is refused.

https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
"""

from __future__ import annotations

import re

REFUSAL = b'{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}'
"""Sent as a challenge. The client answers with nothing, and then learns that it was refused."""

_RESPONSE = re.compile(rb"user=([^\x01]*)\x01auth=bearer ([^\x01]*)\x01\x01", re.IGNORECASE)


def parse_response(response: bytes) -> tuple[str, bytes] | None:
    """Read user and token from the client's response; None if it is none."""
    match = _RESPONSE.fullmatch(response)
    if match is None:
        return None
    return match[1].decode("utf-8", "surrogateescape"), match[2]
