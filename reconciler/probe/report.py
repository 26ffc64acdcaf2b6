"""The report of a run of live tests, as a document for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconciler.probe.result import ErrorClass, Outcome, Protocol, Stage
from reconciler.probe.shard import Shard

if TYPE_CHECKING:
    from reconciler.probe.result import ConnectorResult, ProtocolResult, StageResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDocument:
    """Why a stage failed, in one word, in words, and what to do about it."""

    error_class: ErrorClass
    cause: str
    remedy: str
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDocument:
    """One stage of a test; ``seconds`` is its duration."""

    stage: Stage
    outcome: Outcome
    seconds: float
    detail: str
    failure: FailureDocument | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolDocument:
    """One half of a connector; ``via`` is where --connect-to led to, or empty."""

    protocol: Protocol
    host: str
    port: int
    via: str
    stages: tuple[StageDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorDocument:
    """One connector; ``started_at`` is ISO 8601 in UTC."""

    connector: str
    outcome: Literal["passed", "rejected", "unreachable"]
    started_at: str
    seconds: float
    protocols: tuple[ProtocolDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionDocument:
    """What a run was asked to test: names and patterns, labels, and which of those; down to ``depth``."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    which: Literal["all", "changed", "failing"]
    depth: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """What a run was about, and how it ended.

    ``configuration`` is the digest of what the files mean. ``shard`` is null for a run that was not
    shared. ``not_run`` names the connectors that the run did not come to.
    """

    configuration: str
    selection: SelectionDocument
    shard: Shard | None
    not_run: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """The results of live tests.

    ``run`` is null where the tests were part of an apply, or if nothing could be chosen; ``error`` says
    why a run ended before everything was tested.
    """

    __test__ = False  # not a test case, whatever pytest makes of the name

    format_version: Literal["1.0"] = "1.0"
    passed: int
    rejected: int
    unreachable: int
    error: str | None = None
    run: RunDocument | None = None
    connectors: tuple[ConnectorDocument, ...]


def report(
    results: tuple[ConnectorResult, ...],
    run: RunDocument | None = None,
    error: str | None = None,
) -> TestReport:
    """Put results into the shape in which they are published."""
    connectors = tuple(_connector(result) for result in results)
    outcomes = [item.outcome for item in connectors]
    return TestReport(
        passed=outcomes.count("passed"),
        rejected=outcomes.count("rejected"),
        unreachable=outcomes.count("unreachable"),
        error=error,
        run=run,
        connectors=connectors,
    )


def _connector(result: ConnectorResult) -> ConnectorDocument:
    outcome: Literal["passed", "rejected", "unreachable"] = "passed"
    if not result.passed:
        outcome = "unreachable" if result.unreachable else "rejected"
    return ConnectorDocument(
        connector=result.connector,
        outcome=outcome,
        started_at=result.started_at.isoformat(timespec="milliseconds"),
        seconds=round(result.seconds, 4),
        protocols=tuple(_protocol(item) for item in result.protocols),
    )


def _protocol(result: ProtocolResult) -> ProtocolDocument:
    return ProtocolDocument(
        protocol=result.protocol,
        host=result.host,
        port=result.port,
        via=result.via,
        stages=tuple(_stage(item) for item in result.stages),
    )


def _stage(result: StageResult) -> StageDocument:
    failure = result.failure
    return StageDocument(
        stage=result.stage,
        outcome=result.outcome,
        seconds=round(result.seconds, 4),
        detail=result.detail,
        failure=FailureDocument(
            error_class=failure.error_class,
            cause=failure.cause,
            remedy=failure.remedy,
            reply=failure.reply,
        )
        if failure
        else None,
    )
