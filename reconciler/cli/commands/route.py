"""``reconciler route``."""

from __future__ import annotations

import click
from click.core import ParameterSource

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.render.formats import TextOrJson


@click.command(
    "route",
    cls=ExampleCommand,
    examples=(
        "reconciler route --from payroll@contoso.example --as clerk@contoso.example",
        "reconciler route --connector support --as clerk@contoso.example --config",
    ),
)
@click.option("--from", "sender", metavar="ADDRESS", help="The requested From address.")
@click.option("--as", "actor", metavar="NAME", required=True, help="Who sends.")
@click.option(
    "--connector",
    metavar="NAME",
    shell_complete=completion.connectors,
    help="The requested connector.",
)
@click.option("--reply-to", metavar="ADDRESS", help="The Reply-To that the mail would have.")
@click.option("-c", "--config", "files", is_flag=False, flag_value="", metavar="[FOLDER]",
              help="Read the files, not the stored state: those in FOLDER, else in RECONCILER_CONFIG, else in connectors.d.")  # fmt: skip
@format_option(TextOrJson)
@project_options(Uses.STATE | Uses.COLOR)
def command(
    project: Project,
    *,
    sender: str | None,
    actor: str,
    connector: str | None,
    reply_to: str | None,
    files: str | None,
    output_format: TextOrJson,
) -> ExitCode:
    """Explain which connector would carry a mail, as whom, and why.

    Reads the stored state, or with --config the files, to answer "what if". Sends nothing. Exits
    with 1 if the mail would be refused.
    """
    from reconciler.render.route import route_text
    from reconciler.routing.decide import route
    from reconciler.routing.index import RoutingIndex
    from reconciler.routing.request import Route, RouteRequest

    source = click.get_current_context().get_parameter_source("state")
    if files is not None and source is ParameterSource.COMMANDLINE:
        raise click.UsageError(
            "--state reads the stored state and --config the files: give one of them."
        )
    space = project.at(files or "").workspace()
    snapshot = space.stored().snapshot if files is None else space.load_valid()[1].snapshot
    request = RouteRequest(actor=actor, sender=sender, connector=connector, reply_to=reply_to)
    decision = route(request, RoutingIndex(snapshot))
    click.echo(route_text(decision, output_format, project.stdout_style()))
    return ExitCode.OK if isinstance(decision, Route) else ExitCode.FAILED
