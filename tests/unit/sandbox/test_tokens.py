from __future__ import annotations

import pytest

from reconciler.model.protocol import Protocol
from reconciler.sandbox.accounts import SandboxAccount
from reconciler.sandbox.tokens import Tokens

SUPPORT = SandboxAccount(Protocol.IMAP, "imap.example", "support@x")
OTHERS = (
    SandboxAccount(Protocol.SMTP, "imap.example", "support@x"),
    SandboxAccount(Protocol.IMAP, "other.example", "support@x"),
    SandboxAccount(Protocol.IMAP, "imap.example", "info@x"),
)


def test_a_token_opens_what_it_was_issued_for_and_nothing_else() -> None:
    tokens = Tokens()
    token = tokens.issue([SUPPORT]).encode()
    assert tokens.open(SUPPORT, token)
    assert not any(tokens.open(other, token) for other in OTHERS)


def test_every_token_is_different() -> None:
    tokens = Tokens()
    assert tokens.issue([SUPPORT]) != tokens.issue([SUPPORT])


@pytest.mark.parametrize("octets", [b"", b"sandbox-", b"\xff"])
def test_a_token_that_was_never_issued_is_rejected(octets: bytes) -> None:
    tokens = Tokens()
    tokens.issue([SUPPORT])
    assert not tokens.open(SUPPORT, octets)


def test_a_token_ends_when_its_time_is_up() -> None:
    now = [1000.0]
    tokens = Tokens(clock=lambda: now[0])
    token = tokens.issue([SUPPORT], seconds=60).encode()
    now[0] = 1059.9
    assert tokens.open(SUPPORT, token)
    now[0] = 1060.0
    assert not tokens.open(SUPPORT, token)


def test_the_register_does_not_show_its_tokens() -> None:
    tokens = Tokens()
    assert tokens.issue([SUPPORT]) not in repr(tokens)
