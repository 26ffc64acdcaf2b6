"""The peak memory of commands, with ten thousand connectors and with a long log."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.state.export_text import text_pieces
from reconciler.state.exported import Part
from reconciler.state.sql.store import open_store
from tests.benchmarks.large import fill, sendings
from tests.benchmarks.measure import RECONCILER
from tests.benchmarks.peers import Connectors
from tests.whole_states import export_of

if TYPE_CHECKING:
    from reconciler.state.exported import StateExport
    from tests.benchmarks.conftest import Tell
    from tests.servers.postgresql import Postgresql

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

CONNECTORS: Final = 10_000
REVISIONS: Final = 20
LIMIT: Final = 80_000_000
"""Octets, however large the state is."""
OF_FILES: Final = 130_000_000
"""Octets, with all connectors and their permissions, in as many files."""

SMALL: Final = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(usage.ru_maxrss)
sys.exit(process.returncode)
"""
"""A process starts with the peak of the one that it is forked from, so this one is small."""


@dataclass(frozen=True)
class Command:
    """Runs the program in a folder with a state, and returns its peak memory."""

    folder: Path
    state: str

    def peak(self, *arguments: str) -> int:
        environ = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8",
            "RECONCILER_STATE": self.state,
        }  # fmt: skip
        done = subprocess.run(
            (sys.executable, "-c", SMALL, RECONCILER, *arguments), cwd=self.folder, env=environ,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (arguments, done.stderr[-1000:])
        return int(done.stdout) * 1024


class Longer:
    """An export with another log, which is made as it is read."""

    def __init__(self, whole: StateExport, rows: int) -> None:
        self._whole = whole
        self.sent = Part(lambda: sendings(rows))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


@pytest.fixture(scope="module")
def exports(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, Path]:
    """The exports of a state with many connectors, and of one with a long log."""
    folder = tmp_path_factory.mktemp("exports")
    found = {}
    rows = request.config.getoption("rows")
    for name, connectors, revisions, count in (
        (f"{CONNECTORS} connectors", CONNECTORS, REVISIONS, 0),
        (f"{rows} rows of the log", 10, 1, rows),
    ):
        url = f"sqlite:///{folder}/{connectors}.db"
        fill(url, connectors, revisions)
        with closing(open_store(url)) as store:
            whole = Longer(export_of(store), count)
        found[name] = folder / f"{connectors}.json"
        with found[name].open("w", encoding="utf-8") as stream:
            stream.writelines(text_pieces(whole, tool_version="1"))
    return found


def test_validate_and_a_plan_take_a_bounded_memory(tmp_path: Path, tell: Tell) -> None:
    connectors = Connectors(tmp_path, CONNECTORS)
    connectors.apply()
    command = Command(tmp_path, f"sqlite:///{tmp_path}/.reconciler/state.db")
    peaks = {name: command.peak(name) for name in ("validate", "plan")}
    tell(
        f"{CONNECTORS} connectors and their permissions: "
        + ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in peaks.items())
    )
    assert max(peaks.values()) < OF_FILES


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_state_of_any_size_needs_bounded_memory(
    kind: str, exports: dict[str, Path], request: pytest.FixtureRequest, tmp_path: Path, tell: Tell
) -> None:
    for name, path in exports.items():
        url = f"sqlite:///{tmp_path}/{path.stem}.db"
        if kind == "postgresql":
            server: Postgresql = request.getfixturevalue("postgresql")
            server.clear()
            url = server.url
        command = Command(tmp_path, url)
        peaks = {
            what: command.peak(*arguments)
            for what, arguments in {
                "import": ("state", "import", str(path)),
                "check": ("state", "check"),
                "export": ("state", "export", "--out", f"{path.stem}-{kind}.json"),
                "export to standard output": ("state", "export"),
                "log": ("log", "--format", "jsonl", "--limit", "1000000000"),
            }.items()
        }
        exported = (tmp_path / f"{path.stem}-{kind}.json").stat().st_size
        tell(
            f"{name} in {kind}, {exported / 1e6:.0f} MB as a file: "
            + ", ".join(f"{what} {size / 1e6:.0f} MB" for what, size in peaks.items())
        )
        assert max(peaks.values()) < LIMIT
