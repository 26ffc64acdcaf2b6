"""Ten thousand documents, ten thousand connectors, two hundred revisions."""

from __future__ import annotations

import shutil
import statistics
import sys
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.large import GROUPS, fill, write_documents
from tests.benchmarks.measure import RECONCILER, compared, cpu_seconds, measured
from tests.benchmarks.peers import Connectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.conftest import Tell

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

MANY, TENTH = 10_000, 1_000
REVISIONS = 200


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("documents")
    for count in (MANY, TENTH):
        write_documents(folder / str(count) / "connectors.d", count)
    return {count: folder / str(count) / "connectors.d" for count in (MANY, TENTH)}


def validated(folder: Path) -> float:
    """Seconds of CPU that ``reconciler validate`` takes."""
    return cpu_seconds(RECONCILER, "validate", cwd=folder.parent)


def read_bare(folder: Path) -> float:
    """Seconds of CPU that it takes to read the same files and do nothing with them."""
    command = (sys.executable, "-m", "tests.benchmarks.bare_yaml", "ruamel", str(folder))
    return cpu_seconds(*command)


def test_validation_takes_less_than_reading_yaml(folders: dict[int, Path], tell: Tell) -> None:
    times: list[float] = []

    def take() -> float:
        times.append(validated(folders[MANY]))
        return times[-1]

    ratio = compared(take, lambda: read_bare(folders[MANY]), pairs=5)
    tell(
        f"validate with {MANY} documents, against ruamel.yaml's quickest reader: {ratio};"
        f" {statistics.median(times):.1f} s of CPU"
    )
    assert ratio.median <= 0.5


def test_validation_of_ten_thousand_files_beside_reading_them_by_pyyaml(
    tmp_path: Path, tell: Tell
) -> None:
    pytest.importorskip("yaml", reason="packaging/requirements/benchmark.txt holds PyYAML")
    folder = tmp_path / "connectors.d"
    write_documents(folder, 2 * MANY + GROUPS)  # a connector and its permissions in each file
    command = (sys.executable, "-m", "tests.benchmarks.bare_yaml", "pyyaml", str(folder))
    ratio = compared(lambda: validated(folder), lambda: cpu_seconds(*command), pairs=5)
    tell(f"validate with {MANY} files, against PyYAML's loader in C: {ratio}")
    assert ratio.median <= 1.3


def test_the_time_that_validation_takes_grows_with_the_documents_and_not_faster(
    folders: dict[int, Path], tell: Tell
) -> None:
    ratio = compared(lambda: validated(folders[MANY]), lambda: validated(folders[TENTH]), pairs=5)
    tell(f"validate with {MANY} documents, against {TENTH}: {ratio}")
    assert ratio.median <= 6


def test_a_check_of_the_layout_takes_about_as_long_as_validation(
    folders: dict[int, Path], tell: Tell
) -> None:
    def checked() -> float:
        return cpu_seconds(RECONCILER, "fmt", "--check", cwd=folders[MANY].parent)

    ratio = compared(checked, lambda: validated(folders[MANY]), pairs=5)
    tell(f"fmt --check with {MANY} documents, against validate: {ratio}")
    assert ratio.median <= 2


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Connectors]]:
    """Connectors that were applied, and one of them once more; with their files, with files that all differ, with none."""
    folder = tmp_path_factory.mktemp("applied")
    connectors = Connectors(folder / "project", MANY)
    connectors.apply()
    connectors.apply_one_change()
    yield {
        "its files": connectors,
        "other files": connectors.with_other_files(folder / "others", "Another"),
        "no files": connectors.with_other_files(folder / "none", None),
    }
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("files", "command", "limit"),
    [
        ("its files", ("import",), 3),
        ("no files", ("import",), 4),
        ("its files", ("rollback", "1"), 5),
        ("other files", ("rollback", "1"), 6),
    ],
)
def test_a_state_is_written_in_a_few_times_what_validation_takes(
    files: str, command: tuple[str, ...], limit: float, applied: dict[str, Connectors], tell: Tell
) -> None:
    times: list[float] = []

    def take() -> float:
        times.append(applied[files].written_by(*command))
        return times[-1]

    ratio = compared(take, applied["its files"].validate, pairs=3)
    tell(
        f"{' '.join(command)} of {MANY} connectors, with {files}, against validate: {ratio};"
        f" {statistics.median(times):.1f} s of CPU"
    )
    assert ratio.median <= limit


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_a_plan_takes_a_multiple_of_reading_the_rows(
    store: str, request: pytest.FixtureRequest, tmp_path: Path, tell: Tell
) -> None:
    url = (
        f"sqlite:///{tmp_path}/state.db"
        if store == "sqlite"
        else str(request.getfixturevalue("postgresql_url"))
    )
    fill(url, MANY, REVISIONS)
    found = [measured("large", "state", url) for _ in range(5)]
    middle = {part: statistics.median(one[part] for one in found) for part in found[0]}
    bare = middle.pop("bare")
    for part, seconds in middle.items():
        ratios = [one[part] / one["bare"] for one in found]
        tell(
            f"{MANY} connectors, {REVISIONS} revisions, {store}: {part}: {seconds * 1000:.0f} ms of CPU,"
            f" {seconds / bare:.1f} of fetching the rows bare ({min(ratios):.1f} to {max(ratios):.1f})"
        )
    assert middle["load"] <= 15 * bare
    assert middle["plan of no change"] <= 3 * bare
    assert middle["plan that reroutes all"] <= 8 * bare
    assert middle["newest revisions"] <= bare
    assert middle["history of a connector"] <= bare
