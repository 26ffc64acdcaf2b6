"""``reconciler validate``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import color_option, config_option, format_option, workspace


@click.command(
    "validate",
    cls=ExampleCommand,
    examples=("reconciler validate", "reconciler validate --config mail/ --format json"),
)
@config_option
@format_option("human", "json", "github")
@click.option("--warnings-as-errors", is_flag=True, help="Fail on warnings too.")
@color_option
def command(*, config: str, form: str, warnings_as_errors: bool, color: bool | None) -> ExitCode:
    """Check the configuration: every problem at once, with its place.

    Needs no secret, no state and no network.
    """
    from reconciler.cli.streams import echo_commands
    from reconciler.cli.terminal import stdout_style
    from reconciler.render.validation import validation

    loaded = workspace(config).load()
    text = validation(loaded, form, stdout_style(colour=color))
    if form == "github":
        echo_commands(text)
    else:
        click.echo(text)
    bad = any(item.is_error or warnings_as_errors for item in loaded.diagnostics)
    return ExitCode.CONFIGURATION_INVALID if bad else ExitCode.OK
