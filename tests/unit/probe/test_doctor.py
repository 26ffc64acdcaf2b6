"""A connector's health in one sentence."""

from __future__ import annotations

from datetime import timedelta

from reconciler.connection.account import accounts
from reconciler.connection.failure import ErrorClass, Failure, Stage
from reconciler.mail.imap_lines import Quota
from reconciler.mail.tls import Certificate
from reconciler.probe.doctor import Details, ExaminedAccount, verdict
from reconciler.probe.result import ProtocolResult, StageOutcome, StageResult
from reconciler.values import replace
from tests.builders import NOON, connector

IMAP, SMTP = accounts(connector("support"))


def passed(account: object = IMAP, **details: object) -> ExaminedAccount:
    chosen = SMTP if account is SMTP else IMAP
    result = ProtocolResult(chosen.protocol, chosen.host, chosen.port, (StageResult(Stage.TCP, StageOutcome.OK),))  # fmt: skip
    return ExaminedAccount(chosen, result, replace(Details(), **details))  # type: ignore[arg-type]


def failed(account: object, cause: str) -> ExaminedAccount:
    good = passed(account)
    failure = Failure(ErrorClass.AUTH_REJECTED, cause, "Check it.")
    stage = StageResult(Stage.AUTHENTICATION, StageOutcome.FAILED, failure=failure)
    return replace(good, result=replace(good.result, stages=(stage,)))


def certificate(days: int) -> Certificate:
    return Certificate("imap.contoso.example", "An authority", NOON + timedelta(days=days, hours=1))


def test_a_working_connector() -> None:
    accounts = (passed(chain=(certificate(21),)), passed(SMTP))
    assert verdict("support", accounts, NOON) == (
        "support reads and sends mail; no problems found."
    )
    assert verdict("info", (passed(),), NOON) == "info reads mail; no problems found."


def test_a_connector_that_will_soon_fail() -> None:
    accounts = (
        passed(
            chain=(certificate(20), certificate(900)),
            quotas=(Quota("", "STORAGE", 95, 100), Quota("", "MESSAGE", 1, 100)),
        ),
        passed(SMTP, chain=(certificate(20),)),
    )
    assert verdict("support", accounts, NOON) == (
        "support reads and sends mail, but the certificate of imap.contoso.example expires in 20 days,"
        " and the mailbox is 95 % full (STORAGE)."
    )
    assert "expires in 1 day." in verdict("info", (passed(chain=(certificate(1),)),), NOON)


def test_a_quota_without_a_limit_is_never_full() -> None:
    accounts = (passed(quotas=(Quota("", "STORAGE", 95, 0),)),)
    assert verdict("info", accounts, NOON) == "info reads mail; no problems found."


def test_one_account_that_fails() -> None:
    accounts = (passed(), failed(SMTP, "The server said no."))
    assert verdict("support", accounts, NOON) == (
        "support reads mail, but it cannot send mail: The server said no."
    )
    assert verdict("info", (failed(IMAP, "It said no."),), NOON) == (
        "info cannot read mail: It said no."
    )


def test_both_accounts_fail() -> None:
    accounts = (failed(IMAP, "The first cause."), failed(SMTP, "The second."))
    assert verdict("support", accounts, NOON) == (
        "support can neither read mail nor send mail: The first cause."
    )


def test_a_connector_that_neither_reads_nor_sends() -> None:
    assert verdict("idle", (), NOON) == (
        "idle neither reads nor sends mail, so there is nothing to test."
    )
