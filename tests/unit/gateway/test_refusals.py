"""Recipients that a provider has refused are refused one by one when the mail is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.gateway import refusals
from reconciler.gateway.refusals import KEPT, KnownRefusals, MailOrigin
from reconciler.sending.outcome import RefusedRecipient
from reconciler.values import replace

if TYPE_CHECKING:
    import pytest

HERE: Final = MailOrigin("grafana", "alerts@contoso.example", 3)
GONE: Final = RefusedRecipient("gone@contoso.example", "550", "5.1.1", "no such user")
BUSY: Final = RefusedRecipient("busy@contoso.example", "450", "4.2.1", "try again")
EVERYBODY: Final = ("ada@contoso.example", BUSY.recipient, GONE.recipient)


def test_a_permanent_refusal_counts_for_a_while_and_a_temporary_one_once() -> None:
    now = 0.0
    known = KnownRefusals(lambda: now)
    known.learn(HERE, EVERYBODY, (GONE, BUSY))
    assert known.of(HERE, "ada@contoso.example") is None
    assert [known.of(HERE, GONE.recipient), known.of(HERE, BUSY.recipient)] == [GONE, BUSY]
    assert [known.of(HERE, GONE.recipient), known.of(HERE, BUSY.recipient)] == [GONE, None]
    now = KEPT
    assert known.of(HERE, GONE.recipient) is None


def test_a_refusal_counts_for_its_own_sender_application_and_revision() -> None:
    known = KnownRefusals()
    known.learn(HERE, EVERYBODY, (GONE,))
    for change in ({"application": "gitlab"}, {"mail_from": "x@contoso.example"}, {"serial": 4}):
        assert known.of(replace(HERE, **change), GONE.recipient) is None
    assert known.of(HERE, GONE.recipient) == GONE


def test_a_recipient_is_found_as_the_client_writes_it() -> None:
    known = KnownRefusals()
    written = ("gone@bücher.example", '"gone"@contoso.example')
    abroad = replace(GONE, recipient="gone@xn--bcher-kva.example")
    known.learn(HERE, written, (abroad, GONE))
    assert [known.of(HERE, item) for item in written] == [abroad, GONE]


def test_the_memory_for_refusals_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_MOST", 9)
    known = KnownRefusals()
    many = [f"r{number}@contoso.example" for number in range(10)]
    known.learn(HERE, many, (replace(GONE, recipient=item) for item in many))
    assert known.of(HERE, many[0]) is None
    assert known.of(HERE, many[-1]) is not None
