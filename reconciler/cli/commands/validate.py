"""``reconciler validate``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options


@click.command(
    "validate",
    cls=ExampleCommand,
    examples=("reconciler validate", "reconciler validate --config mail/ --format json"),
)
@format_option("human", "json", "github")
@click.option("--warnings-as-errors", is_flag=True, help="Fail on warnings too.")
@project_options(Uses.CONFIG | Uses.COLOR)
def command(project: Project, *, form: str, warnings_as_errors: bool) -> ExitCode:
    """Check the configuration: every problem at once, with its place.

    Needs no secret, no state and no network.
    """
    from reconciler.cli.streams import echo_commands
    from reconciler.render.validation import validation

    loaded = project.workspace().load()
    text = validation(loaded, form, project.stdout_style())
    if form == "github":
        echo_commands(text)
    else:
        click.echo(text)
    bad = any(item.is_error or warnings_as_errors for item in loaded.diagnostics)
    return ExitCode.CONFIGURATION_INVALID if bad else ExitCode.OK
