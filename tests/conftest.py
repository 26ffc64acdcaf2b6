"""What holds for every test: if servers are required, a test fails without its server.

``RECONCILER_REQUIRE_SERVERS=1`` requires them, as in continuous integration. Everywhere else such
a test is skipped, so that the suite passes on a machine without Dovecot, Postfix and PostgreSQL.

Property tests try the same examples at every run, so that a change is judged by the change: ten of each. Tests of many
inputs that are alike (the ``sweep`` mark, the ``some`` fixture) take a quarter of them. ``--full`` tries a hundred
examples and every input, as ``.ci/run`` does. To look for new examples: ``pytest --hypothesis-profile explore``. No example
has a time limit, on a busy machine least of all.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings

from reconciler.ci_systems import CI_SYSTEMS
from tests import interpreter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from tests.servers.postgresql import Postgresql
    from tests.sweeps import Some

TESTS: Final = Path(__file__).parent
SERVERS: Final = TESTS / "servers"
MEMORY: Final = Path("/dev/shm")
"""Where the files of the tests are on Linux: there are 100,000s, and a disk is slow to find room for each."""

UNTIMED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", UNTIMED, max_examples=10, derandomize=True, database=None)
settings.register_profile("full", UNTIMED, max_examples=100, derandomize=True, database=None)
settings.register_profile("explore", UNTIMED, max_examples=1000, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def no_ci_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as if outside CI, wherever the suite itself runs; a test of behaviour in CI names a CI system."""
    for name in ("CI", *(system.present for system in CI_SYSTEMS)):
        monkeypatch.delenv(name, raising=False)


def _servers_are_required() -> bool:
    return os.environ.get("RECONCILER_REQUIRE_SERVERS") == "1"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return f"RECONCILER_REQUIRE_SERVERS=1, but this was skipped: {reason}"


_FORKED_WITHOUT: Final = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""Variables that images of containers set. With one of them, each process of a test would be an interpreter of its own."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples there are and where files are, and let every child hear Ctrl-C and SIGHUP, even if we ignore them: in the background, or under nohup.

    A handler does not outlive exec, so that children start with the default action. A worker of xdist ends
    with its controller; it need not end at SIGHUP.
    """
    if config.option.full:
        settings.load_profile("full")
    for name in _FORKED_WITHOUT:
        os.environ.pop(name, None)
    is_measured = "benchmark" in config.option.markexpr  # with the disk that users have
    if not is_measured and "TMPDIR" not in os.environ and _is_fit_for_tests(MEMORY):
        tempfile.tempdir = str(MEMORY)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN or hasattr(config, "workerinput"):
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)


def _is_fit_for_tests(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    has_room = found.f_bavail * found.f_frsize >= 2 << 30
    return has_room and not found.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect in a third of the time.

    Each worker begins to import at another file, and keeps the compiled code for the others; otherwise all of
    them would compile every file at the same time. What has been collected stays to the end, and no
    garbage is looked for in it; in what the tests leave, rarely.
    """
    worker = getattr(session.config, "workerinput", None)
    gc.disable()
    if worker is not None and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        sys.dont_write_bytecode = False
        _import_tests(int(worker["workerid"].removeprefix("gw")), worker["workercount"])
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)  # takes a twelfth of the time of the tests less
        gc.enable()


def _import_tests(worker: int, workers: int) -> None:
    found = sorted(TESTS.rglob("test_*.py"))
    start = len(found) * worker // workers
    for path in (*found[start:], *found[:start]):
        name = ".".join(path.relative_to(TESTS.parent).with_suffix("").parts)
        # What is wrong with it, or missing for it, is said when it is collected.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Look for garbage once: pytest does so ten times, and need not look at what has been found to be in use."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """End the server that forks the processes of the tests."""
    interpreter.FORK_SERVER.end()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--write-golden``, for the files in ``tests/golden/``, what says how large a benchmark is, and how many attacks there are."""
    parser.addoption("--write-golden", action="store_true", help="write the golden files anew")
    parser.addoption(
        "--full", action="store_true",
        help="try every input of the tests that sweep many, and a hundred examples of each property",
    )  # fmt: skip
    parser.addoption(
        "--mails", type=int, default=1000, metavar="N",
        help="how many mails the benchmark of the gateway sends",
    )  # fmt: skip
    parser.addoption(
        "--connectors", type=int, default=1000, metavar="N",
        help="how many connectors the benchmark of what they cost has",
    )  # fmt: skip
    parser.addoption(
        "--rows", type=int, default=20_000, metavar="N",
        help="how many rows of the log the benchmark of the memory has",
    )  # fmt: skip
    chaos = parser.getgroup("chaos", "attacks at random moments (tests/chaos)")
    chaos.addoption("--chaos", type=int, default=0, metavar="N", help="run N attacks")
    chaos.addoption(
        "--chaos-seed", type=int, default=1, metavar="S", help="the seed of the first of them"
    )
    chaos.addoption(
        "--chaos-report", metavar="FILE", help="write the table of what was tried, as Markdown"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what was not requested: most of each sweep, and benchmarks and attacks, which need the machine to themselves."""
    asked = {"benchmark": "benchmark" in config.option.markexpr, "chaos": config.option.chaos > 0}
    left_out = {
        item
        for item in items
        if any(item.get_closest_marker(name) for name, wanted in asked.items() if not wanted)
    }
    if not _every_input_is_tried(config):
        left_out |= _most_of_each_sweep(items)
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


_PORTION: Final = 4
"""Of that many similar inputs, one is tried by default."""


def _every_input_is_tried(config: pytest.Config) -> bool:
    by_name = any("::" in argument for argument in config.args)
    return bool(config.option.full) or by_name


def _most_of_each_sweep(items: list[pytest.Item]) -> set[pytest.Item]:
    sweeps: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sweep"):
            sweeps.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return {item for sweep in sweeps.values() for i, item in enumerate(sweep) if i % _PORTION}


@pytest.fixture
def some(request: pytest.FixtureRequest) -> Some:
    """Take a quarter of many inputs that are alike, and others in another test; all of them with ``--full``."""

    def take(inputs: Iterable[Any]) -> list[Any]:
        every = list(inputs)
        if _every_input_is_tried(request.config):
            return every
        first = zlib.crc32(request.node.nodeid.encode()) % min(_PORTION, len(every))
        return every[first::_PORTION]

    return take


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


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where the disk with the files of a test is mounted."""
    return next(folder for folder in tmp_path.parents if folder.is_mount())


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL that is started when the first test asks for it and ended with the last."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    pytest.importorskip("trustme", reason="trustme is not installed")
    from tests.servers.postgresql import ROOT, Postgresql, postgresql_programs

    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # Not in pytest's folder: the path of a socket may have 107 bytes, and that one is root's alone.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        try:
            server = Postgresql(programs, Path(folder))
        except LookupError:
            pytest.skip(f"the tests run as root, and there is no user {ROOT} to start it as")
        yield server
        server.stop()


@pytest.fixture(scope="session")
def postgresql_url(postgresql: Postgresql) -> str:
    """The URL of that server, for its superuser."""
    return postgresql.url
