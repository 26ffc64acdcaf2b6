"""``reconciler explain``."""

from __future__ import annotations

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import format_option
from reconciler.render.formats import TextOrJson


@click.command(
    "explain",
    cls=ExampleCommand,
    examples=(
        "reconciler explain smtp.security",
        "reconciler explain schema/unknown-field",
        "reconciler explain microsoft365",
        "reconciler explain auth_rejected",
    ),
)
@click.argument("topic", metavar="FIELD|RULE|PROVIDER|ERROR",
                shell_complete=completion.topics)  # fmt: skip
@format_option(TextOrJson)
def command(*, topic: str, output_format: TextOrJson) -> ExitCode:
    """Explain a field, a rule of validate, a built-in provider or an error class of the live tests.

    A field is named by its path or the end of it: EmailConnector.smtp.security, smtp.security, or
    settings.testing.depth for one of reconciler.yaml. Needs no project, state or network.
    """
    from reconciler.app.explain import explain
    from reconciler.cli.terminal import stdout_style
    from reconciler.render.explain import explain_text

    click.echo(explain_text(explain(topic), output_format, stdout_style()))
    return ExitCode.OK
