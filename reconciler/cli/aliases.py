"""Command names of other tools: they work as expected, and name the command of reconciler."""

from __future__ import annotations

import importlib
from typing import Final

import click

from reconciler.cli.command import ExampleCommand, ExampleGroup
from reconciler.errors import UsageError

NATIVE: Final = {"list": "status", "show": "show", "rm": "forget"}
"""Terraform's subcommands of `state`, and the commands that they stand for."""


_SAID: Final = "reconciler.cli.aliases"
"""The key in click's context under which it is remembered that the native word was named."""


class GroupWithAliases(ExampleGroup):
    """The group `state`, which also takes Terraform's subcommands; its help lists only its own."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command by its own name, else by Terraform's."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        if cmd_name == "mv":
            return rename
        native = NATIVE.get(cmd_name)
        if native is None:
            return None
        found = super().get_command(ctx, native)
        name = f"state {native}" if found is not None else native
        if not ctx.resilient_parsing and _SAID not in ctx.meta:  # click asks more than once
            ctx.meta[_SAID] = True
            click.echo(f"Note: `state {cmd_name}` is `reconciler {name}` here.", err=True)
        if found is not None:
            return found
        command = importlib.import_module(f"reconciler.cli.commands.{native}").command
        return command if isinstance(command, click.Command) else None


@click.command("mv", cls=ExampleCommand)
@click.argument("before", metavar="NAME")
@click.argument("after", metavar="NEW_NAME")
def rename(before: str, after: str) -> None:
    """Explain that a connector is renamed in its document."""
    old, new = (name.removeprefix("EmailConnector.") for name in (before, after))
    raise UsageError(
        "`state mv` does not exist: a connector is renamed in its document",
        hint=f"Run `reconciler rename {old} {new}` and apply: history, permissions and fingerprints come along.",
    )
