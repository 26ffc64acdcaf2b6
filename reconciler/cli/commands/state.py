"""``reconciler state``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand, ExampleGroup
from reconciler.cli.options import config_option, state_option, workspace


@click.group(
    "state",
    cls=ExampleGroup,
    examples=("reconciler state lock", "reconciler state unlock 3f2a…"),
)
def command() -> None:
    """Look after the stored state."""


@command.command("lock", cls=ExampleCommand, examples=("reconciler state lock",))
@config_option
@state_option
def lock(*, config: str, state: str | None) -> None:
    """Show who holds the lock, if anybody does."""
    from reconciler.app.stored import reading
    from reconciler.render.stored import lease_text

    with reading(workspace(config, state=state)) as reader:
        click.echo(lease_text(reader.lease()))


@command.command("unlock", cls=ExampleCommand, examples=("reconciler state unlock 3f2a… --yes",))
@click.argument("token", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@state_option
def unlock(*, token: str, yes: bool, config: str, state: str | None) -> None:
    """Take the lock away from its holder, after showing who that is.

    An apply that has lost its lock cannot write any more, so nothing gets lost; it fails.
    """
    from reconciler.cli.console import is_interactive
    from reconciler.render.stored import lease_text

    store = workspace(config, state=state).store()
    try:
        held = store.lease()
        if not yes and held is not None and held.token == token:
            if not is_interactive():
                raise click.UsageError("There is no terminal to ask on; confirm with --yes.")
            click.echo(lease_text(held), err=True)
            click.confirm("Take it away? An apply that holds it will fail.", abort=True, err=True)
        lease = store.unlock(token)
    finally:
        store.close()
    click.echo(f"Unlocked. It was held by {lease.holder} on {lease.host} for {lease.operation}.")


@command.command("migrate", cls=ExampleCommand, examples=("reconciler state migrate",))
@config_option
@state_option
def migrate(*, config: str, state: str | None) -> None:
    """Bring a state of an older release to this one; an apply does so too.

    Older releases then refuse it, so upgrade them as well. A SQLite file is kept as it was beside it.
    """
    store = workspace(config, state=state).store()
    try:
        serial = store.load().serial
    finally:
        store.close()
    if serial:
        click.echo(f"The state, at serial {serial}, is as this release wants it.")
    else:
        click.echo("Nothing was applied yet, so there is nothing to migrate.")
