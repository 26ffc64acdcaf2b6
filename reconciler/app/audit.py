"""Shared by the audits of sending and signing in: ids, times, and who may delete entries."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import NotAuthorised
from reconciler.model.domain import address_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.state.base import StateStore


def fresh_id() -> str:
    """A unique id that sorts by time, because many mails are sent within a second."""
    return f"{time.time_ns():016x}{os.urandom(8).hex()}"


def moment_before(age: timedelta) -> datetime:
    """The moment that long ago."""
    return datetime.now(UTC) - age


class Pruned(Struct, frozen=True):
    """How many entries were deleted, and why their space was not freed, "" if it was."""

    count: int
    not_freed: str


@contextmanager
def pruning(workspace: Workspace, actor: Actor, what: str) -> Iterator[StateStore]:
    """Open the state to delete entries of an audit, which ``what`` names.

    Raises NotAuthorised unless the actor is an Administrator, as for a change of the roles: users
    must not be able to delete their own traces.
    """
    with workspace.writing() as store:
        administrators = store.load().snapshot.administrators
        if administrators and address_key(actor.name) not in administrators:
            raise NotAuthorised(
                f"{actor.name} may not prune {what}",
                hint="Administrators may; they are named in Roles.",
            )
        yield store
