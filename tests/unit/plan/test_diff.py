"""The difference between two snapshots leads from one to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.snapshot import Snapshot, StoredState
from reconciler.plan.diff import changes_between
from reconciler.plan.inputs import Desired
from tests.strategies import carried_out, snapshots

if TYPE_CHECKING:
    from reconciler.model.resource import Resource

Past = dict[str, "Resource"]


def past(snapshot: Snapshot) -> Past:
    """A snapshot by uid."""
    return {str(item.address): item for item in snapshot.resources}


@given(snapshots())
def test_a_snapshot_does_not_differ_from_itself(snapshot: Snapshot) -> None:
    assert changes_between(past(snapshot), past(snapshot)) == ()


@given(snapshots(), snapshots(), st.sets(st.integers(0, 20)))
def test_the_changes_lead_from_one_snapshot_to_the_other(
    first: Snapshot, second: Snapshot, anew: set[int]
) -> None:
    before, after = past(first), past(second)
    # Some of what bears the same address is another resource.
    after = {
        f"new {uid}" if i in anew else uid: item for i, (uid, item) in enumerate(after.items())
    }
    changes = changes_between(before, after)
    start = StoredState("lineage", 1, ())
    there = carried_out(start, changes_between({}, before), Desired(first, (), ()))
    assert carried_out(there, changes, Desired(second, (), ())).snapshot == second
