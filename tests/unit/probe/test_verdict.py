"""A connector's health in one sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler.mail.imap import Quota
from reconciler.mail.tls import Certificate
from reconciler.probe.examine import Details, ExaminedHalf
from reconciler.probe.half import halves
from reconciler.probe.result import (
    ErrorClass,
    Failure,
    Outcome,
    ProtocolResult,
    Stage,
    StageResult,
)
from reconciler.probe.verdict import verdict
from tests.builders import NOON, connector

IMAP, SMTP = halves(connector("support"))


def passed(half: object = IMAP, **details: object) -> ExaminedHalf:
    chosen = SMTP if half is SMTP else IMAP
    result = ProtocolResult(chosen.protocol, chosen.host, chosen.port, (StageResult(Stage.TCP, Outcome.OK),))  # fmt: skip
    return ExaminedHalf(chosen, result, replace(Details(), **details))  # type: ignore[arg-type]


def failed(half: object, cause: str) -> ExaminedHalf:
    good = passed(half)
    failure = Failure(ErrorClass.AUTH_REJECTED, cause, "Check it.")
    stage = StageResult(Stage.AUTHENTICATION, Outcome.FAILED, failure=failure)
    return replace(good, result=replace(good.result, stages=(stage,)))


def certificate(days: int) -> Certificate:
    return Certificate("imap.contoso.example", "An authority", NOON + timedelta(days=days, hours=1))


def test_one_that_works() -> None:
    halves = (passed(chain=(certificate(21),)), passed(SMTP))
    assert verdict("support", halves, NOON) == (
        "support reads and sends mail; nothing stands against it."
    )
    assert verdict("info", (passed(),), NOON) == "info reads mail; nothing stands against it."


def test_one_that_soon_will_not() -> None:
    halves = (
        passed(
            chain=(certificate(20), certificate(900)),
            quotas=(Quota("", "STORAGE", 95, 100), Quota("", "MESSAGE", 1, 100)),
        ),
        passed(SMTP, chain=(certificate(20),)),
    )
    assert verdict("support", halves, NOON) == (
        "support reads and sends mail, but the certificate of imap.contoso.example expires in 20 days,"
        " and the mailbox is 95 % full (STORAGE)."
    )
    assert "expires in 1 day." in verdict("info", (passed(chain=(certificate(1),)),), NOON)


def test_a_quota_without_a_limit_is_never_full() -> None:
    halves = (passed(quotas=(Quota("", "STORAGE", 95, 0),)),)
    assert verdict("info", halves, NOON) == "info reads mail; nothing stands against it."


def test_one_half_that_fails() -> None:
    halves = (passed(), failed(SMTP, "The server said no."))
    assert verdict("support", halves, NOON) == (
        "support reads mail, but it cannot send mail: The server said no."
    )
    assert verdict("info", (failed(IMAP, "It said no."),), NOON) == (
        "info cannot read mail: It said no."
    )


def test_both_halves_that_fail() -> None:
    halves = (failed(IMAP, "The first cause."), failed(SMTP, "The second."))
    assert verdict("support", halves, NOON) == (
        "support can neither read mail nor send mail: The first cause."
    )


def test_one_that_does_nothing() -> None:
    assert verdict("idle", (), NOON) == (
        "idle neither reads nor sends mail, so there is nothing to test."
    )
