"""Reading the stored state: what there is, what happened to it, who holds it."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.address import SINGLETON_NAME, Address, Kind
from reconciler.model.connector import Connector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.app.workspace import Workspace
    from reconciler.model.snapshot import StoredResource, StoredState
    from reconciler.state.base import StateReader


@contextmanager
def reading(workspace: Workspace) -> Iterator[StateReader]:
    """Open the state for reading, for as long as the block lasts."""
    store = workspace.store(read_only=True)
    try:
        yield store
    finally:
        store.close()


def load_state(workspace: Workspace) -> StoredState:
    """Read what is stored."""
    with reading(workspace) as reader:
        return reader.load()


def parse_address(text: str) -> Address:
    """Read an address; a bare name is a connector's. Raises UsageError if it is none."""
    singletons = {str(kind): kind for kind in (Kind.GLOBAL_SMTP_POLICY, Kind.ROLES)}
    if text in singletons:
        return Address(singletons[text], SINGLETON_NAME)
    if any(text.startswith(f"{kind}.") for kind in Kind):
        return Address.parse(text)
    if "." in text:
        raise UsageError(
            f"{text} is no address",
            hint=f"An address is a kind and a name; kinds are {', '.join(Kind)}.",
        )
    return Address(Kind.EMAIL_CONNECTOR, text)


def find(state: StoredState, address: Address) -> StoredResource:
    """Find a stored resource; raises ReconcilerError if it is not there."""
    stored = state.stored(address)
    if stored is None:
        names = [item.address.name for item in state.resources if item.address.kind == address.kind]
        there = (
            f"Stored are: {', '.join(names[:10])}" if names else "Nothing of its kind is stored."
        )
        raise ReconcilerError(f"{address} is not in the state", hint=there)
    return stored


def matching(
    state: StoredState, patterns: tuple[str, ...], labels: tuple[str, ...], status: str | None
) -> tuple[StoredResource, ...]:
    """Choose stored connectors by shell pattern, label and status."""
    return tuple(
        item
        for item in state.resources
        if isinstance(item.resource, Connector)
        and (not patterns or any(fnmatchcase(item.address.name, text) for text in patterns))
        and all(label in item.resource.labels for label in labels)
        and (status is None or item.status == status)
    )
