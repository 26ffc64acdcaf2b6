"""``reconciler state``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import completion
from reconciler.cli.aliases import GroupWithAliases
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import DURATION
from reconciler.cli.project import Project, Uses, project_options

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from reconciler.app.state import Adopted
    from reconciler.plan.changes import Change
    from reconciler.state.base import Lease


def _note(text: str) -> None:
    from reconciler.cli.terminal import show_notes

    show_notes((text,))


@click.group(
    "state",
    cls=GroupWithAliases,
    examples=(
        "reconciler state lock",
        "reconciler state unlock 3f2a…",
        "reconciler state export --out state.json",
    ),
)
def command() -> None:
    """Manage the stored state."""


@command.command("lock", cls=ExampleCommand, examples=("reconciler state lock",))
@project_options(Uses.CONFIG | Uses.STATE)
def lock(project: Project) -> None:
    """Show who holds the lock, if anyone does."""
    from reconciler.render.stored import lease_text

    with project.workspace().reading() as reader:
        click.echo(lease_text(reader.lease()))


@command.command(
    "unlock",
    cls=ExampleCommand,
    examples=("reconciler state unlock 3f2a91c04d7e4b21a9f0c5d8e6b7a413 --yes",),
)
@click.argument("token", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@project_options(Uses.CONFIG | Uses.STATE)
def unlock(project: Project, *, token: str, yes: bool) -> ExitCode:
    """Remove the lock, after showing who holds it.

    The apply that held it can no longer write and fails, so nothing is lost.
    """
    from reconciler.app.state import unlock as take_away
    from reconciler.cli.terminal import need_terminal
    from reconciler.render.stored import lease_text

    def approve(held: Lease) -> bool:
        if yes:
            return True
        need_terminal()
        click.echo(lease_text(held), err=True)
        return click.confirm("Remove the lock? The apply that holds it will fail.", err=True)

    lease = take_away(project.workspace(), token, approve)
    if lease is None:
        click.echo("Nothing was changed.")
        return ExitCode.REFUSED
    click.echo(f"Unlocked. It was held by {lease.holder} on {lease.host} for {lease.operation}.")
    return ExitCode.OK


@command.command("migrate", cls=ExampleCommand, examples=("reconciler state migrate",))
@project_options(Uses.CONFIG | Uses.STATE)
def migrate(project: Project) -> None:
    """Migrate the state of an older release; an apply does so too.

    Older releases then refuse it, so upgrade them as well. A SQLite file is backed up next to it.
    """
    from reconciler.app.state import migrate as bring_to_this_release

    done = bring_to_this_release(project.workspace())
    if done.was_older:
        click.echo(f"Migrated the state, at serial {done.serial}, to the schema of this release.")
    elif done.serial:
        click.echo(f"The state, at serial {done.serial}, has the schema of this release already.")
    else:
        click.echo("Nothing was applied yet, so there is nothing to migrate.")


@command.command("check", cls=ExampleCommand, examples=("reconciler state check",))
@project_options(Uses.CONFIG | Uses.STATE)
def check(project: Project) -> ExitCode:
    """Read the whole state and list everything that is wrong with it.

    Checks the file (SQLite), every value, the digests of resources and revisions, the references, and that
    no revision is missing. Changes nothing. Exits with 1 if something is wrong.
    """
    from reconciler.app.state import check_state

    problems = check_state(project.workspace())
    for problem in problems:
        click.echo(problem)
    if problems:
        click.echo("Restore the state from a backup.", err=True)
        return ExitCode.FAILED
    click.echo("No problems found.")
    return ExitCode.OK


@command.command(
    "export",
    cls=ExampleCommand,
    examples=(
        "reconciler state export --out state.json",
        "reconciler state export | gzip > state.json.gz",
        "reconciler state export --salvage --out rescued.json",
    ),
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE",
              help="Write to this file, which must not exist. [default: standard output]")  # fmt: skip
@click.option("--salvage", is_flag=True,
              help="Write what can be read of a damaged state, and list the rest.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE)
def export(project: Project, *, out: Path | None, salvage: bool) -> ExitCode:
    """Write the whole state as JSON, with its history and without secrets.

    `state import` reads it into an empty state elsewhere. The fingerprint key is not included. With
    `--salvage` the exit code is 1 if something could not be read.
    """
    from reconciler.app.state import exported, salvaged, write_export
    from reconciler.cli.spool import echoed_at_the_end

    lost: tuple[str, ...] = ()
    with echoed_at_the_end() as echo:

        def write(pieces: Iterable[str]) -> None:
            if out is None:
                echo(pieces)
            else:
                write_export(out, pieces)

        if salvage:
            with salvaged(project.workspace()) as (pieces, lost):
                write(pieces)
        else:
            with exported(project.workspace()) as pieces:
                write(pieces)
    if out is not None:
        click.echo(f"Wrote {out}")
    for loss in lost:
        click.echo(f"lost: {loss}", err=True)
    return ExitCode.FAILED if lost else ExitCode.OK


@command.command(
    "import",
    cls=ExampleCommand,
    examples=("reconciler state import state.json --state postgresql://db.example.com/mail",),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--lock-timeout", type=DURATION, default="0s", show_default=True, metavar="TIME",
              help="How long to wait for the lock, as in 30s or 5m.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE | Uses.ACTOR)
def import_(project: Project, *, file: Path, lock_timeout: timedelta) -> None:
    """Fill an empty state from an export, with lineage and history, in one transaction.

    Checks the file before it writes anything. Refuses a state that is not empty.
    """
    from reconciler.app.state import restore
    from reconciler.cli.closing import closing_line
    from reconciler.state.write_outcome import WriteOutcome

    outcome = WriteOutcome()
    with closing_line(outcome):
        who = project.actor()
        space = project.workspace()
        done = restore(space, file, who.name, lock_timeout, outcome, noted=_note)
    click.echo(
        f"Imported revisions 1 to {done.serial} with {done.resource_count} resources; the lineage is "
        f"{done.lineage}."
    )
    if done.has_fingerprints:
        click.echo(
            "Rotated secrets are noticed only under the same key: set RECONCILER_FINGERPRINT_KEY to what "
            "`reconciler state key FILE` prints of the old fingerprint.key, or copy that file.",
            err=True,
        )


@command.command(
    "forget",
    cls=ExampleCommand,
    examples=(
        "reconciler state forget EmailConnector.support",
        "reconciler state forget old --yes",
    ),
)
@click.argument("address", shell_complete=completion.addresses)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--lock-timeout", type=DURATION, default="0s", show_default=True, metavar="TIME",
              help="How long to wait for the lock, as in 30s or 5m.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE | Uses.ACTOR)
def forget(project: Project, *, address: str, yes: bool, lock_timeout: timedelta) -> ExitCode:
    """Remove a resource from the state, as a new revision; a connector with its permissions.

    Senders can no longer use it. If its document is still in the configuration, the next plan creates
    it again and says so. Refused if other resources depend on it, or prevent_destroy protects it.
    """
    from reconciler.app.state import forget as let_go
    from reconciler.app.state import parse_address
    from reconciler.cli.closing import closing_line
    from reconciler.cli.terminal import need_terminal
    from reconciler.render.human.changes import change_text
    from reconciler.state.write_outcome import WriteOutcome

    def approve(changes: tuple[Change, ...]) -> bool:
        if yes:
            return True
        need_terminal()
        for change in changes:
            click.echo(change_text(change, project.stderr_style()) + "\n", err=True)
        return click.confirm("Forget this resource?", err=True)

    outcome = WriteOutcome()
    with closing_line(outcome):
        space = project.workspace()
        who = project.actor()
        revision = let_go(
            space, parse_address(address), who, lock_timeout, approve, outcome=outcome, noted=_note
        )
    if revision is None:
        click.echo("Nothing was changed.")
        return ExitCode.REFUSED
    click.echo(
        f"Forgotten, in revision {revision.serial}. `reconciler plan` shows what would be created again."
    )
    return ExitCode.OK


@command.command(
    "key",
    cls=ExampleCommand,
    examples=(
        "reconciler state key",
        "reconciler state key | gh secret set RECONCILER_FINGERPRINT_KEY",
        "reconciler state key .reconciler/fingerprint.key",
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
def key(*, file: Path | None) -> None:
    """Print a new key for the fingerprints of secrets, for RECONCILER_FINGERPRINT_KEY.

    With FILE, print the key in that file instead, in the form for the variable: for a state that moves
    from SQLite to PostgreSQL. Keep the key like a password; nothing else in the state is secret.
    """
    from reconciler.state.key import generated, written_key

    click.echo(generated() if file is None else written_key(file))


@command.command(
    "adopt", cls=ExampleCommand, examples=("reconciler state adopt", "reconciler state adopt --yes")
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--lock-timeout", type=DURATION, default="0s", show_default=True, metavar="TIME",
              help="How long to wait for the lock, as in 30s or 5m.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE | Uses.ACTOR)
def adopt(project: Project, *, yes: bool, lock_timeout: timedelta) -> ExitCode:
    """Assign the state to this project and environment, after one was moved or renamed on purpose.

    A state records which project it was made for, and an apply from another one is refused. Nothing else in it changes.
    """
    from reconciler.app.state import adopt as move
    from reconciler.cli.terminal import need_terminal

    def approve(change: Adopted) -> bool:
        if yes:
            return True
        need_terminal()
        click.echo(
            f"The state was made for {change.before or 'a project that it did not record'}.",
            err=True,
        )
        click.echo(f"It would be that of {change.after}.", err=True)
        return click.confirm("Adopt it?", err=True)

    done = move(project.workspace(), project.actor(), lock_timeout, approve, noted=_note)
    if done is None:
        click.echo("Nothing was changed.")
        return ExitCode.REFUSED
    click.echo(f"The state is that of {done.after}.")
    return ExitCode.OK
