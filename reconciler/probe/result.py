"""What a live test found, as values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.connection.failure import Failure, Stage
    from reconciler.connection.observed import Observed
    from reconciler.model.protocol import Protocol


class StageOutcome(StrEnum):
    """How a stage ended. NOT_REACHED: an earlier one failed. SKIPPED: it was not requested."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_REACHED = "not_reached"


class StageResult(Struct, frozen=True):
    """How one stage went.

    ``seconds`` is its duration; ``detail`` is a remark. ``warning`` is a sentence about a problem that
    may come up next time.
    """

    stage: Stage
    outcome: StageOutcome
    seconds: float = 0.0
    detail: str = ""
    failure: Failure | None = None
    warning: str = ""


class ProtocolResult(Struct, frozen=True):
    """The result of one account of a connector. ``via`` is the address that --connect-to led to, or "".

    ``observed`` are the server's properties, None if the test did not get that far.
    """

    protocol: Protocol
    host: str
    port: int
    stages: tuple[StageResult, ...]
    via: str = ""
    observed: Observed | None = None

    @property
    def failed(self) -> StageResult | None:
        """The stage that failed."""
        return next((item for item in self.stages if item.outcome is StageOutcome.FAILED), None)


class ConnectorResult(Struct, frozen=True):
    """The result of a connector; ``started_at`` is in UTC, ``seconds`` the whole duration."""

    connector: str
    started_at: datetime
    seconds: float
    protocols: tuple[ProtocolResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every requested stage passed."""
        return not self.failures

    @property
    def failures(self) -> tuple[tuple[ProtocolResult, StageResult, Failure], ...]:
        """The failures, at most one for each protocol."""
        return tuple(
            (protocol, stage, stage.failure)
            for protocol in self.protocols
            if (stage := protocol.failed) is not None and stage.failure is not None
        )

    @property
    def unreachable(self) -> bool:
        """Whether it failed only because servers could not be reached."""
        failures = self.failures
        return bool(failures) and all(failure.error_class.unreachable for _, _, failure in failures)
