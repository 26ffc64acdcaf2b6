"""A complete mail cannot claim to be from anybody but the sender that it was routed for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.routing.index import RoutingIndex
from reconciler.sending.message import RawMessage, Stamp
from reconciler.sending.prepare import SendRequest, prepare
from tests.builders import connector, snapshot

STAMP = Stamp("5eed", datetime(2026, 3, 1, 12, tzinfo=UTC))


def sent(fields: bytes, **asked: Any) -> list[bytes]:
    """The lines of the head that goes out when ada sends a mail with these fields."""
    mail = RawMessage(fields + b"To: bob@example.com\r\n\r\nHi\r\n")
    ready = prepare(
        SendRequest(message=mail, actor="ada", **asked),
        RoutingIndex(snapshot(connector("info"))),
        STAMP,
    )
    assert ready.envelope.sender == "info@contoso.example"
    return ready.content.partition(b"\r\n\r\n")[0].split(b"\r\n")


@pytest.mark.parametrize(
    "fields",
    [
        b"From: The CEO <ceo@contoso.example>\r\n",
        b"From: info@contoso.example, ceo@contoso.example\r\n",
        b"From: info@contoso.example\r\nFrom: ceo@contoso.example\r\n",
    ],
)
@pytest.mark.parametrize("asked", [{"sender": "info@contoso.example"}, {"connector": "info"}])
def test_another_author_is_replaced(fields: bytes, asked: dict[str, str]) -> None:
    head = sent(fields, **asked)
    assert [line for line in head if line.startswith(b"From:")] in (
        [b"From: Info <info@contoso.example>"],
        [b"From: info@contoso.example"],
    )
    assert not [line for line in head if b"CEO" in line]


def test_the_author_that_was_routed_is_unchanged() -> None:
    for asked in ({}, {"sender": "info@contoso.example"}, {"connector": "info"}):
        head = sent(b"From:   Our Info <INFO@contoso.example>\r\n", **asked)
        assert b"From:   Our Info <INFO@contoso.example>" in head


def test_an_original_sender_in_the_input_is_removed() -> None:
    head = sent(b"From: info@contoso.example\r\nX-Original-From: ceo@contoso.example\r\n")
    assert not [line for line in head if line.lower().startswith(b"x-original-from")]
