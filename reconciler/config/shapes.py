"""Describes in words each pattern that documents and settings must match."""

from __future__ import annotations

from typing import Final

from reconciler.config.settings import STATE_URL
from reconciler.model import fields
from reconciler.model.application import NETWORK_PATTERN

SHAPES: Final = {
    fields.NAME_PATTERN: (
        "lower-case letters, digits and hyphens, beginning with a letter, 63 at most"
    ),
    fields.PROVIDER_NAME_PATTERN: (
        "lower-case letters, digits, hyphens and dots, beginning with a letter or a digit, 63 at most"
    ),
    fields.LABEL_PATTERN: "letters, digits and any of . _ / = -, 63 at most",
    fields.TEXT_PATTERN: "one line of 1 to 200 characters, none of them invisible",
    fields.PRINCIPAL_PATTERN: "an email address or a login name, without blanks, commas or brackets",
    fields.USERNAME_PATTERN: (
        "an email address or a login name, without blanks, commas or brackets, or a reference"
    ),
    fields.ADDRESS_PATTERN: "an email address, such as support@example.com",
    fields.HOST_PATTERN: "a host name or an IP address, without a scheme, a port, a path or a user",
    fields.SERVER_PATTERN: (
        "a host name, in which {domain} may stand for the domain of a connector, or an IP address"
    ),
    fields.HTTPS_PATTERN: "a URL that begins with https://",
    fields.DATE_PATTERN: "a day, such as 2026-12-31",
    fields.HOST_GLOB: "a host name, or `*.` and a domain",
    NETWORK_PATTERN: "an IP address or a network, such as 10.1.0.0/16",
    STATE_URL: "a URL, such as sqlite:///.reconciler/state.db or postgresql://host/database",
}
"""Completes the sentence "It must be …"."""
