"""The same work as octoDNS and Terraform, in the same run: a plan without changes, and a first apply.

octoDNS comes with ``packaging/requirements/benchmark.txt``; OpenTofu or Terraform is used where it is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.measure import clock_seconds, compared
from tests.benchmarks.peers import OCTODNS, TERRAFORM, Connectors, Records, Resources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.conftest import Tell

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

MANY, TENTH = 10_000, 1_000

needs_octodns = pytest.mark.skipif(
    not OCTODNS.exists(), reason="octoDNS is not installed (packaging/requirements/benchmark.txt)"
)
needs_terraform = pytest.mark.skipif(
    TERRAFORM is None, reason="neither OpenTofu nor Terraform is installed"
)


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Connectors]:
    """Connectors that have been applied, few and many."""
    folder = tmp_path_factory.mktemp("connectors")
    made = {count: Connectors(folder / str(count), count) for count in (MANY, TENTH)}
    for connectors in made.values():
        connectors.apply()
    return made


@needs_octodns
@pytest.mark.parametrize(("count", "limit"), [(TENTH, 0.7), (MANY, 0.36)])
def test_a_plan_without_changes_beside_that_of_octodns(
    count: int, limit: float, applied: dict[int, Connectors], tmp_path: Path, tell: Tell
) -> None:
    records = Records(tmp_path / "octodns", count)
    ratio = compared(applied[count].plan, records.plan, pairs=5)
    tell(f"plan of {count} connectors, against octoDNS with {count} records, CPU: {ratio}")
    assert ratio.median <= limit


def test_a_plan_takes_no_more_than_its_share_as_connectors_become_many(
    applied: dict[int, Connectors], tell: Tell
) -> None:
    ratio = compared(applied[MANY].plan, applied[TENTH].plan, pairs=5)
    tell(f"plan of {MANY} connectors, against {TENTH}, CPU: {ratio}")
    assert ratio.median <= 8


@pytest.mark.parametrize(("readable", "limit"), [(False, 1.7), (True, 2)])
def test_an_apply_of_one_change_takes_little_more_than_the_plan(
    readable: bool, limit: float, applied: dict[int, Connectors], tell: Tell
) -> None:
    secrets = {
        f"PASSWORD_{number}": f"secret-{number}" for number in range(MANY if readable else 0)
    }
    many = applied[MANY]
    many.apply_one_change(secrets)  # which records the fingerprints of new secrets
    ratio = compared(lambda: many.apply_one_change(secrets), lambda: many.plan(secrets), pairs=5)
    tell(
        f"apply of one change among {MANY} connectors with {len(secrets)} readable secrets,"
        f" against a plan without changes, CPU: {ratio}"
    )
    assert ratio.median <= limit


@needs_terraform
def test_a_plan_without_changes_beside_that_of_terraform(
    applied: dict[int, Connectors], tmp_path: Path, tell: Tell
) -> None:
    resources = Resources(tmp_path / "terraform", TENTH)
    resources.apply()
    ratio = compared(
        lambda: clock_seconds(applied[TENTH].plan), lambda: clock_seconds(resources.plan), pairs=5
    )
    tell(f"plan of {TENTH} connectors, against Terraform with {TENTH} resources, clock: {ratio}")
    assert ratio.median <= 1 / 5


@needs_terraform
def test_a_first_apply_beside_that_of_terraform(tmp_path: Path, tell: Tell) -> None:
    connectors = Connectors(tmp_path / "connectors", TENTH)
    resources = Resources(tmp_path / "terraform", TENTH)

    def created() -> float:
        connectors.forget()
        return clock_seconds(connectors.apply)

    def created_by_terraform() -> float:
        resources.forget()
        return clock_seconds(resources.apply)

    ratio = compared(created_by_terraform, created, pairs=5)
    tell(
        f"Terraform's first apply of {TENTH} resources, against ours of connectors, clock: {ratio}"
    )
    assert ratio.median >= 25
