"""Fields whose texts are references to secrets, addresses, hosts and URLs."""

from __future__ import annotations

from typing import Final

REFERENCE_FIELDS: Final = frozenset(
    {
        "username",
        "password",
        "client_certificate",
        "client_key",
        "client_secret",
        "certificate",
        "refresh_token",
        "service_account_key",
    }
)
"""The fields of connectors, providers and applications that hold a reference to a secret.

A test compares them with the model.
"""

ADDRESS_FIELDS: Final = frozenset(
    {"email_address", "also_sends_as", "reply_to", "test_recipient", "senders"}
)
HOST_FIELDS: Final = frozenset({"server", "internal_domains"})
URL_FIELDS: Final = frozenset({"token_endpoint"})

OPENING_QUOTES: Final = "\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb\u2039\u203a\u00b4`"
"""Quotes that word processors write; to YAML they are part of the text."""
