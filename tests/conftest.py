"""What holds for every test: where the servers can be had, a test that misses its server fails.

``RECONCILER_REQUIRE_SERVERS=1`` says that they can, as in continuous integration. Everywhere else such
a test is skipped, so that the suite passes on a machine without Dovecot, Postfix and PostgreSQL.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

SERVERS: Final = Path(__file__).parent / "servers"


def _servers_are_required() -> bool:
    return os.environ.get("RECONCILER_REQUIRE_SERVERS") == "1"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return f"RECONCILER_REQUIRE_SERVERS=1, but this was skipped: {reason}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--write-golden``, for the files in ``tests/golden/``."""
    parser.addoption("--write-golden", action="store_true", help="write the golden files anew")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test that is marked ``server`` into a failure where servers are required."""
    report = yield
    missing = report.skipped and not hasattr(report, "wasxfail")
    if missing and item.get_closest_marker("server") and _servers_are_required():
        report.longrepr = _reason(report)
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same with a whole file in ``tests/servers/`` that skips itself."""
    report = yield
    if report.skipped and SERVERS in collector.path.parents and _servers_are_required():
        report.longrepr = _reason(report)
        report.outcome = "failed"
    return report
