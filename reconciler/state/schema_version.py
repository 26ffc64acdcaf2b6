"""The version of the stored tables, and what a state of another one means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import StateCorrupt, StateTooNew, StateUnavailable

if TYPE_CHECKING:
    from reconciler.state.location import Location

SCHEMA_VERSION: Final = "0005"
"""The schema of a database that this release reads and writes: four digits, compared as text."""


def is_current(found: str, location: Location) -> bool:
    """Whether this release can use that revision as it is; False if it has to be migrated first.

    Raises StateTooNew, or StateCorrupt for a revision that no release has ever written.
    """
    if found == SCHEMA_VERSION:
        return True
    if not (found.isdecimal() and len(found) == len(SCHEMA_VERSION)):
        raise StateCorrupt(
            f"{location} holds no state: its schema is called {found[:40]!r}",
            hint="set the right state URL",
        )
    if found > SCHEMA_VERSION:
        raise StateTooNew(
            f"{location} was written by a newer release (schema {found}; this one knows {SCHEMA_VERSION})",
            hint="upgrade reconciler here as well; a newer state is never changed by an older release",
        )
    return False


def older(location: Location) -> StateUnavailable:
    """Refuse a state of an older release: reading never migrates a shared state."""
    return StateUnavailable(
        f"{location} was written by an older release and must be migrated first",
        hint="the next apply migrates it; to do so now, where this user may write: reconciler state migrate",
    )
