"""Finds the places in the files that declare a stored resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.config.value_sources import whole_source
from reconciler.errors import ReconcilerError
from reconciler.model.resource import spec_of
from reconciler.plan.diff import field_changes
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.app.workspace import Workspace
    from reconciler.model.snapshot import StoredResource
    from reconciler.plan.value_source import ResourceSource


def source_of_stored(workspace: Workspace, stored: StoredResource) -> ResourceSource:
    """The places that declare a stored resource, and those of its values that are unchanged.

    Raises ConfigurationInvalid if they have errors, and ReconcilerError if it is not in them.
    """
    loaded, desired = workspace.load_valid()
    now = next(
        (item for item in desired.snapshot.resources if item.address == stored.address), None
    )
    source = whole_source(now, loaded.written) if now is not None else None
    if now is None or source is None:
        raise ReconcilerError(
            f"the files do not have {stored.address}", hint="An apply would delete it."
        )
    differ = {item.path for item in field_changes(spec_of(stored.resource), spec_of(now))}
    same = {path: item for path, item in source.fields.items() if path not in differ}
    return replace(source, fields=same)
