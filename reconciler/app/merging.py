"""Joining the reports of shards, which other machines have written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from reconciler.errors import ReconcilerError
from reconciler.probe.merge import merge
from reconciler.probe.report import TestReport, results

if TYPE_CHECKING:
    from pathlib import Path

_ADAPTER = TypeAdapter(TestReport)


def merge_files(paths: tuple[Path, ...]) -> TestReport:
    """Read reports of shards and join them; raises ReconcilerError if they are not one whole run."""
    return merge([(str(path), _read(path)) for path in paths])


def _read(path: Path) -> TestReport:
    try:
        report = _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ReconcilerError(
            f"{path} is no report of a test: {f'{where}: ' if where else ''}{first['msg']}",
            hint="Reports of shards are written with `reconciler test --shard K/N --report json=FILE`.",
        ) from None
    try:
        results(report)
    except ValueError as error:
        raise ReconcilerError(f"{path} is no report of a test: {error}") from None
    return report
