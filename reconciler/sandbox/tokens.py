"""The access tokens that a run of the sandbox has issued. They are kept in memory and end with it."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.sandbox.accounts import SandboxAccount

LIFETIME = 3599
"""The validity of a token in seconds, as at Microsoft and Google."""


MADE_UP: Final = "sandbox-"
"""The prefix of every token that a sandbox issues."""


def made_up_token() -> str:
    """Make up a token that nobody can guess."""
    return f"{MADE_UP}{secrets.token_urlsafe(32)}"


class _Issued(Struct, frozen=True):
    accounts: frozenset[SandboxAccount]
    until: float


class Tokens:
    """Issues and checks tokens; ``clock`` is a monotonic clock in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._issued: dict[bytes, _Issued] = {}

    def __repr__(self) -> str:
        return "Tokens(…)"

    def issue(self, accounts: Iterable[SandboxAccount], seconds: int = LIFETIME) -> str:
        """Make a token for exactly these accounts, with a validity in seconds."""
        token = made_up_token()
        self._issued[token.encode()] = _Issued(frozenset(accounts), self._clock() + seconds)
        return token

    def open(self, account: SandboxAccount, octets: bytes) -> bool:
        """Whether these octets are an issued token that is still valid for this account."""
        issued = self._issued.get(octets)
        return issued is not None and self._clock() < issued.until and account in issued.accounts


REFUSAL = b'{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}'
"""Sent as a challenge. The client answers with nothing, and then learns that it was refused."""

_RESPONSE = re.compile(rb"user=([^\x01]*)\x01auth=bearer ([^\x01]*)\x01\x01", re.IGNORECASE)


def parse_response(response: bytes) -> tuple[str, bytes] | None:
    """Read user and token from the client's response; None if it is invalid."""
    match = _RESPONSE.fullmatch(response)
    if match is None:
        return None
    return match[1].decode("utf-8", "surrogateescape"), match[2]
