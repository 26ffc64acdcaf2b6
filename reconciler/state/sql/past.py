"""Revisions and what they left: what a rollback and a comparison of revisions read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.plan.changes import ChangeCounts
from reconciler.state import specs
from reconciler.state.base import PastState, Revision
from reconciler.state.decoding import NO_RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.state.specs import Specifications
    from reconciler.state.sql.rows import Rows


def revisions(rows: Rows, limit: int, until: int | None = None) -> tuple[Revision, ...]:
    """The newest revisions up to and including ``until``, newest first."""
    return tuple(
        Revision(
            serial=row.serial,
            at=row.at,
            actor=row.actor,
            actor_source=row.actor_source,
            git_commit=row.git_commit,
            tool_version=row.tool_version,
            plan_digest=row.plan_digest,
            counts=ChangeCounts(row.added, row.changed, row.destroyed),
            note=row.note,
            chain=row.chain,
        )
        for row in rows.revisions(limit, until)
    )


def past(
    rows: Rows,
    serial: int,
    like: Mapping[Address, Resource] = NO_RESOURCES,
    specifications: Specifications | None = None,
    *,
    touched_by: int | None = None,
) -> PastState:
    """Resources as they were at a revision; on request only those that another revision touched."""
    read = specs.read if specifications is None else specifications.read
    found: dict[str, tuple[Address, str | None]] = {}
    for uid, kind, name, text in rows.past(serial, touched_by):
        found[uid] = specs.address_of(kind, name), text
    return PastState(
        serial,
        {
            uid: read(address, text, like.get(address))
            for uid, (address, text) in found.items()
            if text is not None
        },
    )
