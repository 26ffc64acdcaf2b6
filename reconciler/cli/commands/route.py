"""``reconciler route``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import (
    color_option,
    config_option,
    format_option,
    state_option,
    workspace,
)


@click.command(
    "route",
    cls=ExampleCommand,
    examples=(
        "reconciler route --from payroll@contoso.example --as clerk@contoso.example",
        "reconciler route --connector support --as clerk@contoso.example --wanted",
    ),
)
@click.option("--from", "sender", metavar="ADDRESS", help="The From address that is asked for.")
@click.option("--as", "actor", metavar="NAME", required=True, help="Who wants to send.")
@click.option("--connector", metavar="NAME", help="The connector that is asked for.")
@click.option("--reply-to", metavar="ADDRESS", help="The Reply-To that the mail would have.")
@click.option("--wanted", is_flag=True,
              help="Ask the files as they are, not what was applied.")  # fmt: skip
@config_option
@state_option
@format_option("human", "json")
@color_option
def command(
    *,
    sender: str | None,
    actor: str,
    connector: str | None,
    reply_to: str | None,
    wanted: bool,
    config: str,
    state: str | None,
    form: str,
    color: bool | None,
) -> ExitCode:
    """Explain through which connector a mail would go, as whom, and why.

    Nothing is sent. Exits with 1 if the mail would be refused.
    """
    from reconciler.app.stored import load_state
    from reconciler.cli.console import stdout_style
    from reconciler.render.route import route_text
    from reconciler.routing.decide import route
    from reconciler.routing.request import Route, RouteRequest

    space = workspace(config, state=state)
    snapshot = space.load_valid()[1].snapshot if wanted else load_state(space).snapshot
    request = RouteRequest(actor=actor, sender=sender, connector=connector, reply_to=reply_to)
    decision = route(request, snapshot)
    click.echo(route_text(decision, form, stdout_style(colour=color)))
    return ExitCode.OK if isinstance(decision, Route) else ExitCode.FAILED
