"""Recording attempts to sign in: how often the state is written to, and what if it cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from reconciler.app.actor import Actor
from reconciler.app.attempts import AttemptAuthor, AttemptRecorder
from reconciler.errors import StateUnavailable
from reconciler.model.sign_in_attempt import AttemptOutcome, SignInAttempt
from tests.builders import connector, receiving, result

if TYPE_CHECKING:
    from reconciler.app.workspace import Workspace
    from reconciler.state.base import StateStore

AUTHOR = AttemptAuthor(Actor("ada", "--actor"), "test")


@dataclass
class Log:
    """A state that counts its transactions."""

    broken: bool = False
    transactions: list[tuple[SignInAttempt, ...]] = field(default_factory=list)

    def record_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        if self.broken:
            raise StateUnavailable("the disk is full")
        self.transactions.append(attempts)

    finish_attempts = record_attempts


def recorder(log: Log, *, sandboxed: bool = False) -> AttemptRecorder:
    workspace = SimpleNamespace(trust=SimpleNamespace(sandboxed=sandboxed))
    return AttemptRecorder(cast("Workspace", workspace), AUTHOR, store=cast("StateStore", log))


def test_a_thousand_tests_take_two_transactions() -> None:
    log = Log()
    connectors = [receiving(f"box-{number}") for number in range(1000)]
    writer = recorder(log)
    writer.begin(connectors)
    assert [len(item) for item in log.transactions] == [1000]
    writer.end([result(item.name) for item in connectors])
    begun, ended = log.transactions
    assert [item.id for item in begun] == [item.id for item in ended]
    assert {item.outcome for item in begun} == {AttemptOutcome.STARTED}
    assert len({item.id for item in begun}) == 1000


def test_a_state_that_cannot_be_written_stops_no_test() -> None:
    writer = recorder(Log(broken=True))
    writer.begin([connector("info")])
    assert writer.problem == "attempts to sign in are not recorded: the disk is full"
    writer.end([result("info")])


def test_a_connector_without_a_result_keeps_no_end() -> None:
    log = Log()
    writer = recorder(log)
    writer.begin([connector("info"), connector("other")])
    writer.end([result("info")])
    assert {item.connector for item in log.transactions[1]} == {"info"}


@pytest.mark.parametrize("connectors", [[], [connector("draft", draft=True)]])
def test_without_a_secret_nothing_is_recorded(connectors: list[Any]) -> None:
    log = Log()
    writer = recorder(log)
    writer.begin(connectors)
    writer.end([])
    assert log.transactions == []


def test_in_a_sandbox_no_secret_leaves_the_machine() -> None:
    log = Log()
    writer = recorder(log, sandboxed=True)
    writer.begin([connector("info")])
    writer.end([result("info")])
    assert log.transactions == []
