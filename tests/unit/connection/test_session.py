"""Every use of a session names its stages, so a new stage never runs by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.connection.access import Access
from reconciler.connection.account import accounts
from reconciler.connection.account_secrets import AccountSecrets
from reconciler.connection.base import PassedStage, Skip
from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.imap import ImapAccountSession
from reconciler.connection.options import ProbeOptions
from reconciler.connection.session import SIGN_IN_STAGES, new_session
from reconciler.connection.smtp import SmtpAccountSession
from reconciler.mail.oauth import AuthlibTokens
from reconciler.model.protocol import Protocol
from reconciler.probe.delivery import TestMailDelivery
from reconciler.probe.result import StageOutcome
from reconciler.probe.stages import TESTED, ConnectionTest
from reconciler.secrets.base import Secret
from reconciler.sending.access import ConnectorAccess
from tests.builders import connector

if TYPE_CHECKING:
    from reconciler.connection.account import Account
    from reconciler.connection.base import AccountSession
    from reconciler.model.secret_ref import SecretRef

SESSIONS: Final = (ImapAccountSession, SmtpAccountSession)


class Passwords:
    def resolve(self, reference: SecretRef) -> Secret:
        return Secret(f"the secret behind {reference}")


def access(**options: Any) -> Access:
    return Access(Passwords(), AuthlibTokens(Passwords()), ProbeOptions(**options))


def account(protocol: Protocol = Protocol.SMTP) -> Account:
    return next(item for item in accounts(connector("support")) if item.protocol is protocol)


def session(protocol: Protocol = Protocol.SMTP) -> AccountSession:
    of, given = account(protocol), access()
    return new_session(of, AccountSecrets(of, given), given.options)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """Every stage there is, in every session, does nothing but add itself to this list."""
    ran: list[Stage] = []

    def step(stage: Stage) -> str:
        ran.append(stage)
        return str(stage)

    everything = {stage: lambda stage=stage: step(stage) for stage in Stage}
    for kind in SESSIONS:
        monkeypatch.setattr(kind, "steps", everything)
    return ran


@pytest.mark.parametrize("protocol", Protocol)
def test_a_test_has_a_step_for_each_of_its_stages(protocol: Protocol) -> None:
    assert tuple(session(protocol).steps) == TESTED[protocol]


@pytest.mark.parametrize("protocol", Protocol)
def test_a_test_begins_by_signing_in(protocol: Protocol) -> None:
    assert TESTED[protocol][: len(SIGN_IN_STAGES)] == SIGN_IN_STAGES


def test_sending_only_signs_in_whatever_else_a_session_can_do(taken: list[Stage]) -> None:
    ConnectorAccess(account(), access()).smtp()
    assert tuple(taken) == SIGN_IN_STAGES


def test_filing_a_copy_only_signs_in_whatever_else_a_session_can_do(taken: list[Stage]) -> None:
    ConnectorAccess(account(Protocol.IMAP), access()).imap()
    assert tuple(taken) == SIGN_IN_STAGES


def test_a_test_mail_only_signs_in_whatever_else_a_session_can_do(taken: list[Stage]) -> None:
    TestMailDelivery(account(), access()).result()
    assert tuple(taken) == SIGN_IN_STAGES


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("depth", Stage)
def test_a_test_runs_its_own_stages_down_to_the_depth(
    taken: list[Stage], protocol: Protocol, depth: Stage
) -> None:
    result = ConnectionTest(account(protocol), access(depth=depth)).result()
    order = tuple(Stage)
    expected = [item for item in TESTED[protocol] if order.index(item) <= order.index(depth)]
    assert taken == expected
    assert tuple(stage.stage for stage in result.stages) == TESTED[protocol]
    outcomes = {stage.stage: stage.outcome for stage in result.stages}
    assert {outcomes[item] for item in expected} == {StageOutcome.OK}
    assert {outcomes[item] for item in set(outcomes) - set(expected)} <= {StageOutcome.SKIPPED}


def test_stages_run_in_the_order_that_is_asked_for(taken: list[Stage]) -> None:
    session().open((Stage.TCP, Stage.DNS))
    assert taken == [Stage.TCP, Stage.DNS]


def test_a_stage_that_fails_is_known_and_ends_it(
    taken: list[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise OSError("gone")

    opened = session()
    monkeypatch.setattr(SmtpAccountSession, "steps", {**opened.steps, Stage.TLS: fail})
    passed: list[PassedStage] = []
    with pytest.raises(OSError, match="gone") as caught:
        opened.open(SIGN_IN_STAGES, passed.append)
    assert opened.stage is Stage.TLS
    assert taken == [item.stage for item in passed] == [Stage.SECRET, Stage.DNS, Stage.TCP]
    assert isinstance(caught.value, OSError)
    assert opened.explain(caught.value).error_class is ErrorClass.INTERNAL


def test_a_stage_with_nothing_to_do_is_skipped_and_the_next_one_runs(
    taken: list[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def skip() -> str:
        raise Skip("plain text")

    opened = session()
    monkeypatch.setattr(SmtpAccountSession, "steps", {**opened.steps, Stage.TLS: skip})
    passed: list[PassedStage] = []
    opened.open((Stage.TLS, Stage.CAPABILITIES), passed.append)
    assert [(item.stage, item.detail, item.skipped) for item in passed] == [
        (Stage.TLS, "plain text", True),
        (Stage.CAPABILITIES, "capabilities", False),
    ]
    assert taken == [Stage.CAPABILITIES]


def test_the_time_for_a_connection_counts_once_the_secrets_are_there() -> None:
    opened = session()
    opened.open((Stage.SECRET,))
    assert opened._deadline is None
    assert 0 < opened.deadline.remaining() <= access().options.timeout
