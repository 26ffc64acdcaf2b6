"""What a writer is told whose plan was made against a state that is no longer the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import StateConflict, StateError

if TYPE_CHECKING:
    from reconciler.state.base import Commit


def not_empty(serial: int) -> StateError:
    """Refuse to put a whole state where there is one."""
    return StateError(
        f"the state that is to be filled is not empty: it is at serial {serial}",
        hint="Name an empty one with --state; nothing is ever merged or overwritten.",
    )


def nothing_to_export() -> StateError:
    """Say that there is no state yet."""
    return StateError(
        "nothing was applied yet, so there is nothing to export",
        hint="Name the state with --state.",
    )


def moved(commit: Commit, lineage: str, serial: int) -> StateConflict:
    """Name both sides of a lineage or serial that differs."""
    if lineage == commit.expected_lineage or not commit.expected_lineage:
        what = f"the state is at serial {serial}, the plan was made at {commit.expected_serial}"
    else:
        what = "the state is not the one that the plan was made for: its lineage differs"
    return StateConflict(what, hint="nothing was written; plan again and apply the new plan")
