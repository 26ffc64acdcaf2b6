from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

from reconciler.mail.testmail import HEADER, compose, new_token

NOW = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)


def composed(address: str) -> bytes:
    return compose(address=address, connector="support", token="0123abcd", now=NOW)


def test_a_test_mail_can_be_found_and_suppresses_answers() -> None:
    message = message_from_bytes(composed("support@contoso.example"), policy=default)
    assert message["From"] == message["To"] == "support@contoso.example"
    assert message[HEADER] == "0123abcd"
    assert "0123abcd" in message["Subject"]
    assert "support" in message["Subject"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Date"].datetime == NOW
    assert message["Message-ID"]
    assert "removed" in message.get_content()


def test_it_has_the_line_ends_and_length_that_smtp_requires() -> None:
    content = composed("support@contoso.example")
    assert content.isascii()
    assert content.endswith(b"\r\n")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(len(line) for line in content.splitlines()) <= 998


def test_a_non_ascii_address_is_unchanged() -> None:
    assert "grüße@contoso.example".encode() in composed("grüße@contoso.example")


def test_every_token_is_different() -> None:
    assert len({new_token() for _ in range(100)}) == 100
