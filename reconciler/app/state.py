"""The stored state: its resources, its history, its lock."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import __version__
from reconciler.app.atomic_file import unwritable, write_pieces
from reconciler.app.git import git_commit
from reconciler.app.state_lock import held_lock
from reconciler.apply.authorise import denials
from reconciler.errors import (
    NotAuthorised,
    PlanRefused,
    ReconcilerError,
    StateError,
    UsageError,
)
from reconciler.model.address import SINGLETON_NAME, Address, Kind
from reconciler.model.domain import address_key
from reconciler.model.resource import digest, to_plain
from reconciler.plan.document import resource_change
from reconciler.plan.forget import forgetting, objections
from reconciler.plan.origin import Origin, adopted
from reconciler.state.base import Commit
from reconciler.wording import TO_ACT_ON, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.model.snapshot import StoredResource, StoredState
    from reconciler.plan.changes import Change
    from reconciler.state.base import Lease, Revision
    from reconciler.state.export_file import ExportFile
    from reconciler.state.write_outcome import WriteOutcome


class Migrated(Struct, frozen=True):
    """How a migration ended: the serial of the state, and whether its schema was older than this release's."""

    serial: int
    was_older: bool


def migrate(workspace: Workspace) -> Migrated:
    """Bring a state of an older release to this one; serial 0 is a state that does not exist yet."""
    with closing(workspace.store()) as store:
        was_older = store.migrate()
        return Migrated(store.load().serial, was_older)


def check_state(workspace: Workspace) -> tuple[str, ...]:
    """Read the whole state, and return its problems, a sentence each."""
    with workspace.reading() as reader:
        return reader.check()


def unlock(workspace: Workspace, token: str, approve: Callable[[Lease], bool]) -> Lease | None:
    """Remove the lock with a token from its holder; None if ``approve`` declines.

    Raises StateError if nothing is locked under that token.
    """
    with workspace.writing() as store:
        held = store.lease()
        if held is not None and held.token == token and not approve(held):
            return None
        return store.unlock(token)


def parse_address(text: str) -> Address:
    """Parse an address; a bare name is a connector's. Raises UsageError if it is invalid."""
    singletons = {str(kind): kind for kind in Kind if kind.is_singleton}
    if text in singletons:
        return Address(singletons[text], SINGLETON_NAME)
    if any(text.startswith(f"{kind}.") for kind in Kind):
        return Address.parse(text)
    if "." in text:
        raise UsageError(
            f"invalid address {text!r}: expected KIND.NAME, such as EmailConnector.support",
            hint=f"The kinds are {', '.join(Kind)}.",
        )
    return Address(Kind.EMAIL_CONNECTOR, text)


def find(state: StoredState, address: Address) -> StoredResource:
    """Find a stored resource; raises ReconcilerError if it does not exist."""
    stored = state.stored(address)
    if stored is None:
        names = [item.address.name for item in state.resources if item.address.kind == address.kind]
        there = (
            f"Stored: {listed(names, TO_ACT_ON)}."
            if names
            else "The state has no resource of that kind."
        )
        raise ReconcilerError(f"{address} is not in the state", hint=there)
    return stored


@contextmanager
def exported(workspace: Workspace) -> Iterator[Iterator[str]]:
    """The text of the whole state, in pieces that are read as they are taken; raises StateError."""
    from reconciler.state.export_text import text_pieces  # noqa: PLC0415 - only for exports

    with workspace.reading() as reader, reader.export() as whole:
        yield text_pieces(whole, tool_version=__version__)


@contextmanager
def salvaged(workspace: Workspace) -> Iterator[tuple[Iterator[str], tuple[str, ...]]]:
    """The text of what can still be read of a damaged state, in pieces, and a sentence for each loss."""
    from reconciler.state.export_text import text_pieces  # noqa: PLC0415 - only for exports

    with workspace.reading() as reader, reader.salvage() as whole:
        yield text_pieces(whole, tool_version=__version__), tuple(map(str, whole.losses))


def write_export(path: Path, pieces: Iterable[str]) -> None:
    """Write an export atomically, readable by its owner alone.

    Raises ReconcilerError if it cannot be written or already exists.
    """
    if path.exists():
        raise ReconcilerError(
            f"{path} already exists", hint="Name another file; none is overwritten."
        )
    try:
        write_pieces(path, pieces)
    except OSError as error:
        raise unwritable(path, error) from error


def restore(
    workspace: Workspace,
    path: Path,
    holder: str,
    wait: timedelta,
    outcome: WriteOutcome,
    *,
    noted: Callable[[str], None],
) -> ExportFile:
    """Fill the empty state of the workspace from a file that is verified first.

    ``outcome`` always says whether it was written; ``noted`` is called if the lock could not be
    released. Raises ReconcilerError if the file cannot be read; StateError if the export is
    incomplete, or the state is not empty; StateLocked.
    """
    from reconciler.app.imported_file import imported_file  # noqa: PLC0415 - only for imports
    from reconciler.state.export_file import verified  # noqa: PLC0415 - as above

    with imported_file(path) as source:
        export = verified(source)
        with (
            workspace.writing() as store,
            held_lock(
                store,
                holder=holder,
                operation="state import",
                wait=wait,
                noted=noted,
                outcome=outcome,
            ) as held,
        ):
            outcome.of(export.serial, lambda: store.restore(export, token=held.lease.token))
    return export


def forget(
    workspace: Workspace,
    address: Address,
    actor: Actor,
    wait: timedelta,
    approve: Callable[[tuple[Change, ...]], bool],
    *,
    outcome: WriteOutcome,
    noted: Callable[[str], None],
) -> Revision | None:
    """Forget a stored resource in its own revision; None if ``approve`` declines.

    ``outcome`` always says whether that was written; ``noted`` is called if the lock could not
    be released.

    Raises ReconcilerError if it is not stored, PlanRefused if others depend on it or it is
    protected, NotAuthorised, StateLocked or StateError; nothing was written then.
    """
    with (
        workspace.writing() as store,
        held_lock(
            store,
            holder=actor.name,
            operation="state forget",
            wait=wait,
            noted=noted,
            outcome=outcome,
        ) as held,
    ):
        current = store.load()
        workspace.refuse_other_project(current)
        resource = find(current, address).resource
        reasons = objections(current.snapshot, resource)
        if reasons:
            raise PlanRefused(
                f"{address} cannot be forgotten: {'; '.join(reasons)}",
                hint="Nothing was changed.",
            )
        changes = forgetting(current.snapshot, resource)
        for denial in denials(changes, current, actor.name):
            raise NotAuthorised(
                f"{actor.name} may not forget {denial.address}: {denial.message}",
                hint=f"The name comes from {actor.source}.",
            )
        if not approve(changes):
            return None
        new = Commit(
            expected_lineage=current.lineage,
            expected_serial=current.serial,
            changes=changes,
            at=datetime.now(UTC),
            actor=actor.name,
            actor_source=actor.source,
            git_commit=git_commit(workspace.home, workspace.environ),
            tool_version=__version__,
            plan_digest=digest(
                [to_plain(resource_change(change), nulls=True) for change in changes]
            ),
            note=f"state forget {address}",
        )
        token = held.lease.token
        return outcome.of(current.serial + 1, lambda: store.commit(new, token=token))


class Adopted(Struct, frozen=True):
    """The recorded former owner of a state, and its new one."""

    before: Origin | None
    after: Origin


def adopt(
    workspace: Workspace,
    actor: Actor,
    wait: timedelta,
    approve: Callable[[Adopted], bool],
    *,
    noted: Callable[[str], None],
) -> Adopted | None:
    """Assign the state to this project and environment; None if ``approve`` declines.

    Changes nothing else; ``noted`` is called if the lock could not be released. Raises
    StateError if nothing was applied, NotAuthorised for anybody but an Administrator, and
    StateLocked.
    """
    workspace.require_project()
    workspace.require_environment()
    with (
        workspace.writing() as store,
        held_lock(
            store, holder=actor.name, operation="state adopt", wait=wait, noted=noted
        ) as held,
    ):
        current = store.load()
        if not current.serial:
            raise StateError(
                "nothing was applied yet", hint="The first apply makes the state this project's."
            )
        administrators = current.snapshot.administrators
        if administrators and address_key(actor.name) not in administrators:
            raise NotAuthorised(
                f"{actor.name} may not move the state: this requires an Administrator"
                f" ({listed(sorted(administrators))})",
                hint=f"The name comes from {actor.source}.",
            )
        settings = adopted(current.settings, workspace.recorded_settings)
        done = Adopted(Origin.of(current.settings), workspace.origin)
        if done.before != done.after and not approve(done):
            return None
        store.record_settings(settings, token=held.lease.token)
        return done
