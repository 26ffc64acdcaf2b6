"""A server's answer to mail without a sign-in: it requires one, or does not trust the network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.connection.failure import ErrorClass, Failure

if TYPE_CHECKING:
    from reconciler.connection.context import FailureContext
    from reconciler.mail.faults import Reply

_TLS_FIRST: Final = re.compile(r"STARTTLS|TLS (is )?required|encryption required", re.IGNORECASE)
_OF_THE_DOMAIN: Final = re.compile(
    r"\b(SPF|DKIM|DMARC)\b|unauthenticated (email|mail)", re.IGNORECASE
)
"""Words about the sender's domain, which a sign-in would not change (RFC 7489)."""
_SIGN_IN: Final = re.compile(
    r"authenticat|\bAUTH\b|\bsign(ed)?[ -]?in\b|\blog(ged)?[ -]?(in|on)\b|credentials",
    re.IGNORECASE,
)
_RELAY: Final = re.compile(r"\brelay", re.IGNORECASE)
_DEMANDED: Final = "530"
"""RFC 4954 section 6: authentication required."""


def sign_in_demanded(reply: Reply, where: FailureContext) -> Failure | None:
    """The failure of an account without a sign-in if the reply asks for one; else None."""
    text = reply.text
    if _TLS_FIRST.search(text) or _OF_THE_DOMAIN.search(text):
        return None
    host = where.account.shown_host
    if _RELAY.search(text):
        cause = f"{host} does not relay mail for this machine without a sign-in."
    elif reply.code == _DEMANDED or _SIGN_IN.search(text):
        cause = f"{host} accepts no mail without a sign-in."
    else:
        return None
    return Failure(
        ErrorClass.AUTH_REQUIRED,
        cause,
        "Have the server allow the address of this machine; or delete `sign_in: none` and give "
        "`username` and `password`.",
    )
