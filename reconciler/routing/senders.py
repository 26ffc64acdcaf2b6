"""Which connector an address belongs to: as its own, as a listed one, or by its domain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.model.connector import ANY_LOCAL_PART
from reconciler.model.domain import address_key

if TYPE_CHECKING:
    from reconciler.model.connector import Connector

_PLAIN: Final = re.compile(r"(?!.*=\?)[^\s\"(),:;<>@\[\]\\*]{1,64}@[^\s\"(),:;<>@\[\]\\*]{1,253}")
"""An address that every reader parses alike; a whole domain permits no other."""


def sender_keys(connector: Connector) -> tuple[str, ...]:
    """Every address and ``*@domain`` that a connector sends as, its own first."""
    own = (connector.email_address,) if connector.email_address is not None else ()
    return tuple(address_key(item) for item in (*own, *connector.also_sends_as))


def sends_as(connector: Connector, sender: str) -> bool:
    """Whether a connector keeps this address in From."""
    keys = {address_key(sender), domain_pattern(sender)}
    return not is_pattern(sender) and bool(keys.intersection(sender_keys(connector)))


def is_pattern(sender: str) -> bool:
    """Whether it means a whole domain, so that nobody can send as it."""
    return sender.startswith(f"{ANY_LOCAL_PART}@")


def domain_pattern(address: str) -> str | None:
    """The ``*@domain`` that covers an address; None for one that is not a plain address."""
    if not _PLAIN.fullmatch(address):
        return None
    return f"{ANY_LOCAL_PART}@{address_key(address).rpartition('@')[2]}"
