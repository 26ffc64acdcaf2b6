"""Which resource goes into which file when the state is written as a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.load import built_in_providers
from reconciler.config.unresolve import concise
from reconciler.config.yaml_text import yaml_text
from reconciler.model.connector import Connector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import Snapshot

_SHARED: Final = ("providers", "groups", "roles", "policy", "applications")


def files_of(
    snapshot: Snapshot,
    origin: str,
    renames: Mapping[str, str] | None = None,
    *,
    only: Iterable[Resource] | None = None,
) -> dict[str, str]:
    """The text of every file, by its name: one for each connector, with its permissions.

    ``origin`` is a line that says where it comes from. ``renames`` maps names of connectors to
    their current names in the state. ``only`` are the resources to write, if not all of them.
    Raises ReconcilerError for a resource that no document can express.
    """
    former = renames or {}
    providers = {item.name: item for item in (*built_in_providers(), *snapshot.providers)}
    permissions = {item.connector: item for item in snapshot.permissions}

    def text(resources: Iterable[Resource]) -> str:
        documents = [
            concise(
                item,
                providers.get(item.provider or "") if isinstance(item, Connector) else None,
                former.get(item.name, "") if isinstance(item, Connector) else "",
            )
            for item in resources
        ]
        return yaml_text(documents, origin)

    wanted = {item.address for item in (snapshot.resources if only is None else only)}
    shared: dict[str, tuple[Resource, ...]] = {
        "providers": snapshot.providers,
        "groups": snapshot.groups,
        "roles": (snapshot.roles,) if snapshot.roles else (),
        "policy": (snapshot.policy,) if snapshot.policy else (),
        "applications": snapshot.applications,
    }
    files = {}
    for name in _SHARED:
        found = [item for item in shared[name] if item.address in wanted]
        if found:
            files[f"{name}.yaml"] = text(found)
    for item in snapshot.connectors:
        # No connector's name contains a dot, so this one is free.
        name = f"{item.name}.connector" if item.name in _SHARED else item.name
        own = permissions.get(item.name)
        both = [one for one in (item, own) if one is not None and one.address in wanted]
        if both:
            files[f"{name}.yaml"] = text(both)
    return files
