"""Ten thousand documents, ten thousand connectors, two hundred revisions."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.large import fill, write_documents
from tests.benchmarks.measure import compared, measured

if TYPE_CHECKING:
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


def test_validation_takes_little_more_than_reading_yaml(
    folders: dict[int, Path], tell: Tell
) -> None:
    times: list[float] = []

    def take(what: str) -> float:
        seconds = float(measured("large", what, folders[MANY])["seconds"])
        if what == "documents":
            times.append(seconds)
        return seconds

    ratio = compared(lambda: take("documents"), lambda: take("yaml"), at_most=2.0, most=9)
    tell(
        f"validation of {MANY} documents, against ruamel.yaml's quickest reader: {ratio};"
        f" {statistics.median(times):.1f} s of CPU"
    )
    assert ratio.median <= 2.0


def test_validation_of_ten_times_as_many_takes_ten_times_as_long(
    folders: dict[int, Path], tell: Tell
) -> None:
    def take(count: int) -> float:
        return float(measured("large", "documents", folders[count])["seconds"])

    ratio = compared(lambda: take(MANY), lambda: take(TENTH), at_most=13.0, most=9)
    tell(f"validation of {MANY} documents, against {TENTH}: {ratio}")
    assert ratio.median <= 13


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
    assert middle["plan of no change"] <= 15 * bare
    assert middle["plan that reroutes all"] <= 20 * bare
    assert middle["newest revisions"] <= bare
    assert middle["history of a connector"] <= bare
