"""The report of a run of live tests, as a document for machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from reconciler.connection.failure import ErrorClass, Failure, Stage
from reconciler.connection.observed import Observed
from reconciler.model.protocol import Protocol
from reconciler.probe.result import ConnectorResult, ProtocolResult, StageOutcome, StageResult
from reconciler.probe.shard import Shard


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDocument:
    """Why a stage failed, in one word, in words, and what to do about it."""

    error_class: ErrorClass
    cause: str
    remedy: str
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDocument:
    """One stage of a test; ``seconds`` is its duration.

    ``warning`` is a sentence about a problem that may come up next time, or empty.
    """

    stage: Stage
    outcome: StageOutcome
    seconds: float
    detail: str
    warning: str = ""
    failure: FailureDocument | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedDocument:
    """What a server offers before the sign-in.

    ``certificate_expires`` is ISO 8601 in UTC, null without TLS; ``size_limit`` is in octets (RFC 1870).
    """

    tls_version: str
    certificate_issuer: str
    certificate_expires: str | None
    mechanisms: tuple[str, ...]
    capabilities: tuple[str, ...]
    size_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolDocument:
    """One account of a connector; ``via`` is where --connect-to led to, or empty.

    ``observed`` is null if the test did not get as far as TLS or the capabilities.
    """

    protocol: Protocol
    host: str
    port: int
    via: str
    observed: ObservedDocument | None = None
    stages: tuple[StageDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorReport:
    """One connector; ``started_at`` is ISO 8601 in UTC."""

    connector: str
    outcome: Literal["passed", "rejected", "unreachable"]
    started_at: str
    seconds: float
    protocols: tuple[ProtocolDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionDocument:
    """The selection of a run: names and patterns, labels, and which of those; down to ``depth``."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    which: Literal["all", "changed", "failing"]
    depth: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """What a run was about, and how it ended.

    ``configuration`` is the digest of the configuration's meaning. ``shard`` is null for a run that was not
    shared. ``not_run`` names the connectors that were not tested.
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
    connectors: tuple[ConnectorReport, ...]


def report(
    results: tuple[ConnectorResult, ...],
    run: RunDocument | None = None,
    error: str | None = None,
) -> TestReport:
    """Convert results to their published form."""
    return joined(tuple(_connector(result) for result in results), run, error)


def joined(
    connectors: tuple[ConnectorReport, ...],
    run: RunDocument | None = None,
    error: str | None = None,
) -> TestReport:
    """Make the report of the connectors, with counts."""
    outcomes = [item.outcome for item in connectors]
    return TestReport(
        passed=outcomes.count("passed"),
        rejected=outcomes.count("rejected"),
        unreachable=outcomes.count("unreachable"),
        error=error,
        run=run,
        connectors=connectors,
    )


def _connector(result: ConnectorResult) -> ConnectorReport:
    outcome: Literal["passed", "rejected", "unreachable"] = "passed"
    if not result.passed:
        outcome = "unreachable" if result.unreachable else "rejected"
    return ConnectorReport(
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
        observed=observed_document(result.observed) if result.observed else None,
        stages=tuple(stage_document(item) for item in result.stages),
    )


def observed_document(seen: Observed) -> ObservedDocument:
    """Convert observations to their published and stored form."""
    expires = seen.certificate_expires
    return ObservedDocument(
        tls_version=seen.tls_version,
        certificate_issuer=seen.certificate_issuer,
        certificate_expires=expires.isoformat() if expires else None,
        mechanisms=seen.mechanisms,
        capabilities=seen.capabilities,
        size_limit=seen.size_limit,
    )


def observed(document: ObservedDocument) -> Observed:
    """The inverse of :func:`observed_document`; raises ValueError for an invalid time."""
    expires = document.certificate_expires
    return Observed(
        tls_version=document.tls_version,
        certificate_issuer=document.certificate_issuer,
        certificate_expires=datetime.fromisoformat(expires) if expires else None,
        mechanisms=document.mechanisms,
        capabilities=document.capabilities,
        size_limit=document.size_limit,
    )


def stage_document(result: StageResult) -> StageDocument:
    """Convert one stage to its published form."""
    failure = result.failure
    return StageDocument(
        stage=result.stage,
        outcome=result.outcome,
        seconds=round(result.seconds, 4),
        detail=result.detail,
        warning=result.warning,
        failure=FailureDocument(
            error_class=failure.error_class,
            cause=failure.cause,
            remedy=failure.remedy,
            reply=failure.reply,
        )
        if failure
        else None,
    )


def results(report: TestReport) -> tuple[ConnectorResult, ...]:
    """Extract the results from a report; the inverse of :func:`report`."""
    return tuple(
        ConnectorResult(
            item.connector,
            datetime.fromisoformat(item.started_at),
            item.seconds,
            tuple(_account(account) for account in item.protocols),
        )
        for item in report.connectors
    )


def _account(document: ProtocolDocument) -> ProtocolResult:
    return ProtocolResult(
        protocol=document.protocol,
        host=document.host,
        port=document.port,
        stages=tuple(
            StageResult(
                item.stage,
                item.outcome,
                item.seconds,
                item.detail,
                _failure(item.failure) if item.failure else None,
                item.warning,
            )
            for item in document.stages
        ),
        via=document.via,
        observed=observed(document.observed) if document.observed else None,
    )


def _failure(document: FailureDocument) -> Failure:
    return Failure(document.error_class, document.cause, document.remedy, document.reply)
