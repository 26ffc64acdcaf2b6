"""``reconciler sandbox``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.arguments import whole_number
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.project import Project, Uses, project_options

if TYPE_CHECKING:
    from reconciler.model.application import Application


@click.command(
    "sandbox",
    cls=ExampleCommand,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    examples=(
        "reconciler sandbox -- reconciler apply",
        "reconciler sandbox -- sh -c 'reconciler plan && reconciler test'",
        "reconciler sandbox",
        "reconciler sandbox --web",
    ),
)
@click.argument("argv", nargs=-1, metavar="[-- COMMAND...]", type=click.UNPROCESSED)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path),
              metavar="FOLDER",
              help="The folder for the sandbox's state and made-up secrets."
              " [default: .reconciler/sandbox of the project]")  # fmt: skip
@click.option("--web", is_flag=True,
              help="Show the sandbox's mail in a browser, at the address that is printed.")  # fmt: skip
@click.option("--gateway-port", type=whole_number(0), default=0, metavar="PORT",
              help="Where programs sign in to the sandbox's gateway. [default: a free one]")  # fmt: skip
@project_options(Uses.CONFIG)
def command(
    project: Project, *, argv: tuple[str, ...], folder: Path | None, web: bool, gateway_port: int
) -> int:
    """Run COMMAND against local mail servers.

    Local IMAP and SMTP servers with TLS, and OAuth 2.0 token endpoints, replace every server that
    the connectors name. The secrets that references name are made up, and the state is separate. No
    mail and no request leaves the machine. If there are applications, a gateway accepts their mail
    and follows what is applied in the sandbox. Without COMMAND, the servers stay up until Ctrl-C.
    """
    import os

    from reconciler.app.atomic_file import refuse_escape
    from reconciler.sandbox.command import run_command, signals_awaited
    from reconciler.sandbox.session import Sandbox

    space = project.workspace()
    folder = folder or space.home / ".reconciler" / "sandbox"
    refuse_escape(folder / "state.db")
    _, desired = space.load_valid()
    box = Sandbox(
        desired.snapshot.connectors,
        folder,
        applications=desired.snapshot.applications,
        base=space.home,
        web=web,
    )
    with ExitStack() as running:
        session = running.enter_context(box)
        click.echo(f"Sandbox: {len(session.endpoints)} servers on this machine.", err=True)
        if session.state.name != "state.db":
            click.echo(f"Another sandbox is running, so the state is {session.state}.", err=True)
        if session.web_address is not None:
            click.echo(f"Mail in a browser: {session.web_address}", err=True)
        more: dict[str, str] = {}
        if desired.snapshot.applications:
            from reconciler.app.sandbox_gateway import GATEWAY, sandbox_gateway

            serving = sandbox_gateway(session, space.project, os.environ, gateway_port)
            more[GATEWAY] = str(running.enter_context(serving))
            _say_applications(desired.snapshot.applications, more[GATEWAY])
        if argv:
            ended = run_command(session, argv, {**os.environ, **more})
            if ended.problem:
                click.echo(f"Error: {ended.problem}", err=True)
            return ended.status
        with signals_awaited() as wait:
            for endpoint in session.endpoints:
                click.echo(f"  {endpoint.connect_to}  {', '.join(endpoint.connectors)}", err=True)
            click.echo("In another shell, copy these lines. Ctrl-C ends the sandbox.\n", err=True)
            for line in (*session.export_lines, *(f"export {name}={more[name]}" for name in more)):
                click.echo(line)
            wait()
    return ExitCode.OK


def _say_applications(applications: tuple[Application, ...], address: str) -> None:
    """Say where programs sign in and as whom; their passwords are among the exports."""
    click.echo(
        f"Gateway: smtp://{address}, for programs of what is applied in the sandbox.", err=True
    )
    for item in applications:
        click.echo(f"  user {item.name}, password {item.password}", err=True)
