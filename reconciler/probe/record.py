"""What is kept of a live test in the state: whether it passed, and if not, where and why."""

from __future__ import annotations

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
