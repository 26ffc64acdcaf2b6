from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

from reconciler.mail.testmail import HEADER, compose, new_token

NOW = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)


def composed(address: str) -> bytes:
    return compose(address=address, connector="support", token="0123abcd", now=NOW)


def test_a_test_mail_can_be_found_again_and_wants_no_answer() -> None:
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


def test_it_is_as_smtp_wants_it() -> None:
    content = composed("support@contoso.example")
    assert content.isascii()
    assert content.endswith(b"\r\n")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(len(line) for line in content.splitlines()) <= 998


def test_an_address_beyond_ascii_stays_as_it_is() -> None:
    assert "grüße@contoso.example".encode() in composed("grüße@contoso.example")


def test_every_token_is_another() -> None:
    assert len({new_token() for _ in range(100)}) == 100
