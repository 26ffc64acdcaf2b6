"""A mail that tests sending and delivery, and that no program answers."""

from __future__ import annotations

import secrets
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

HEADER = "X-Reconciler-Test"
"""The header that holds the token. Some servers replace the Message-ID."""


def new_token() -> str:
    """Make an unguessable, unique token by which a test mail is found."""
    return secrets.token_hex(12)


def compose(
    *, address: str, connector: str, token: str, now: datetime, recipient: str = ""
) -> bytes:
    """Write a test mail from an address to itself, or to ``recipient``, ready for SMTP.

    It suppresses automatic answers: RFC 3834 section 5 for ``Auto-Submitted``, [MS-OXCMAIL] for
    ``X-Auto-Response-Suppress``.
    """
    message = EmailMessage(policy=SMTP if (address + recipient).isascii() else SMTPUTF8)
    message["From"] = address
    message["To"] = recipient or address
    message["Subject"] = f"Test of the email connector {connector} ({token})"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain="reconciler.invalid")
    message[HEADER] = token
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(
        f"This mail tests the email connector {connector}. It is removed once it is found;\n"
        "if it was not removed, you can delete it.\n"
    )
    return message.as_bytes()
