"""What is kept of a live test in the state: whether it passed, and if not, where and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.snapshot import LastTest

if TYPE_CHECKING:
    from reconciler.probe.result import ConnectorResult


def last_test(result: ConnectorResult) -> LastTest:
    """Boil a result down to the first thing that failed."""
    for protocol, stage, failure in result.failures:
        return LastTest(
            passed=False,
            at=result.started_at,
            stage=f"{protocol.protocol} {stage.stage}",
            error_class=failure.error_class,
            summary=failure.cause,
        )
    return LastTest(passed=True, at=result.started_at)


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of the results of a run in the state.

    ``others`` are connectors that the state holds in another version, or not at all. ``shallow`` counts
    those that passed a test that stopped too early to prove anything. ``problem`` says why the state
    took nothing.
    """

    recorded: int = 0
    others: tuple[str, ...] = ()
    shallow: int = 0
    problem: str = ""
