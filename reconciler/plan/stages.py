"""The stages of an apply. ``plan`` explains them and ``apply`` runs them: the very same values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.plan.changes import Change
from reconciler.plan.testing import ToTest

if TYPE_CHECKING:
    from reconciler.plan.planner import Plan


@dataclass(frozen=True, slots=True)
class TestConnectors:
    """Test these connectors live; if one fails, nothing after this happens."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    connectors: tuple[ToTest, ...]


@dataclass(frozen=True, slots=True)
class WriteRevision:
    """Write these changes as one revision, in one transaction."""

    serial: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ProveEmpty:
    """Plan once more and find nothing left to change."""


PlanStage = TestConnectors | WriteRevision | ProveEmpty
"""One step of an apply; match it with ``assert_never``."""


def stages(plan: Plan, *, skip_tests: bool = False) -> tuple[PlanStage, ...]:
    """The steps that applying ``plan`` takes, in order; none if there is nothing to do."""
    found: list[PlanStage] = []
    if plan.to_test and not skip_tests:
        found.append(TestConnectors(plan.to_test))
    if not plan.empty:
        found += [WriteRevision(plan.serial + 1, plan.changes), ProveEmpty()]
    return tuple(found)
