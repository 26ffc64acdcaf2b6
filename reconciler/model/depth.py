"""How deep a live test goes."""

from __future__ import annotations

from reconciler.model.described import DescribedEnum


class Depth(DescribedEnum):
    """Where a live test stops, from the shallowest to the deepest."""

    SECRET = ("secret", "The reference leads to a secret.")
    DNS = ("dns", "The host has an address.")
    TCP = ("tcp", "The port accepts a connection.")
    TLS = ("tls", "The connection is encrypted, and the certificate is valid for the host.")
    CAPABILITIES = ("capabilities", "The server says what it supports.")
    AUTHENTICATION = ("authentication", "The server accepts the sign-in.")
    MAILBOX = ("mailbox", "The inbox opens and the Sent folder is found (IMAP).")
    ENVELOPE = ("envelope", "The server accepts sender and recipient; no mail is sent (SMTP).")
