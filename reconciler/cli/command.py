"""Commands that show examples in their help, and commands that have subcommands beside their arguments."""

from __future__ import annotations

from typing import Any

import click


def with_short_help(named: dict[str, Any]) -> dict[str, Any]:
    """Give a command ``-h`` in any context: click caches the first help option that it makes."""
    settings = {"help_option_names": ["-h", "--help"], **(named.get("context_settings") or {})}
    return {**named, "context_settings": settings}


class ExampleCommand(click.Command):
    """A click command with a section of examples: lines to copy."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **with_short_help(kwargs))
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples after the options."""
        super().format_epilog(ctx, formatter)
        write_examples(self.examples, formatter)


class ExampleGroup(click.Group):
    """A click group with a section of examples."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **with_short_help(kwargs))
        self.examples = examples

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raises UsageError with the nearest name for one that does not exist."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            from reconciler.config.suggest import did_you_mean  # noqa: PLC0415 - only for mistakes

            message = f"No such command {name!r}."
            hint = did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(f"{message} {hint}".strip(), ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples after the commands."""
        super().format_epilog(ctx, formatter)
        write_examples(self.examples, formatter)


class CommandWithSubcommands(ExampleGroup):
    """A command with arguments and options of its own, and subcommands: ``test NAME`` and ``test merge``.

    The first word decides. So the first argument cannot be named like a subcommand.
    """

    allow_extra_args = False
    allow_interspersed_args = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, no_args_is_help=False, **kwargs)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the arguments for the subcommand that the first word names, else for the command itself."""
        subcommand = self.commands.get(args[0]) if args else None
        if subcommand is None:
            return super().make_context(info_name, args, parent, **extra)
        return subcommand.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as a plain command does: no word is left for a subcommand."""
        return click.Command.parse_args(self, ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command itself."""
        return click.Command.invoke(self, ctx)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """List the pieces of the command's own line of usage."""
        return click.Command.collect_usage_pieces(self, ctx)


def write_examples(examples: tuple[str, ...], formatter: click.HelpFormatter) -> None:
    """Write lines as they are, without wrapping: they are there to be copied."""
    if not examples:
        return
    with formatter.section("Examples"):
        for example in examples:
            formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
