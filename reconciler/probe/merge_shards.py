"""Merges the reports of all shards of a run into the report of the whole run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.probe.report import RunDocument, TestReport, joined
from reconciler.probe.shard import Shard
from reconciler.values import replace
from reconciler.wording import TO_ACT_ON, listed

if TYPE_CHECKING:
    from collections.abc import Sequence


def merge(reports: Sequence[tuple[str, TestReport]]) -> TestReport:
    """Merge reports, each with the name of its file.

    Raises ReconcilerError unless they are exactly the shards of one run, each complete: an untested
    connector must not look like one that passed.
    """
    runs = [(file, _run(file, report)) for file, report in reports]
    _check_same(runs)
    _check_complete(runs)
    for file, report in reports:
        _check_own(file, report)
    connectors = [item for _, report in reports for item in report.connectors]
    whole = replace(runs[0][1], shard=None)
    return joined(tuple(sorted(connectors, key=lambda item: item.connector)), whole)


def _run(file: str, report: TestReport) -> RunDocument:
    run = report.run
    if report.error is not None:
        raise _refused(f"{file} is from a run that failed: {report.error}")
    if run is None or run.shard is None:
        raise _refused(f"{file} is not the report of a shard")
    if run.not_run:
        raise _refused(f"{file} is incomplete, without {listed(run.not_run, TO_ACT_ON)}")
    return run


def _check_same(runs: list[tuple[str, RunDocument]]) -> None:
    file, first = runs[0]
    for other, run in runs[1:]:
        if _count(run) != _count(first):
            raise _refused(
                f"{file} is one of {_count(first)} shards, but {other} is one of {_count(run)}"
            )
        if run.configuration != first.configuration:
            raise _refused(f"{file} and {other} are from different configurations")
        if run.selection != first.selection:
            raise _refused(f"{file} and {other} selected different connectors or tests")


def _check_complete(runs: list[tuple[str, RunDocument]]) -> None:
    by_shard: dict[Shard, str] = {}
    for file, run in runs:
        if run.shard is None:
            continue
        if run.shard in by_shard:
            raise _refused(f"{by_shard[run.shard]} and {file} are both shard {run.shard}")
        by_shard[run.shard] = file
    count = _count(runs[0][1])
    missing = [
        str(number) for number in range(1, count + 1) if Shard(number, count) not in by_shard
    ]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise _refused(f"of {count} shards, {listed(missing, TO_ACT_ON)} {are} missing")


def _check_own(file: str, report: TestReport) -> None:
    names = [item.connector for item in report.connectors]
    shard = report.run.shard if report.run else None
    strange = [name for name in names if shard is not None and not shard.takes(name)]
    if strange:
        raise _refused(f"{file} contains connectors of another shard: {listed(strange, TO_ACT_ON)}")
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise _refused(f"{file} contains connectors more than once: {listed(twice, TO_ACT_ON)}")


def _count(run: RunDocument) -> int:
    return run.shard.count if run.shard is not None else 1


def _refused(message: str) -> ReconcilerError:
    return ReconcilerError(
        message,
        hint="Give the JSON report of every shard of one run, each once.",
    )
