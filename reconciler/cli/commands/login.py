"""``reconciler login``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.project import Project, Uses, project_options

if TYPE_CHECKING:
    from reconciler.mail.device_grant import DeviceCode


class _Shown:
    """Shows the code on standard error."""

    def enter(self, code: DeviceCode, account: str) -> None:
        """Print what to do, with the code on a line of its own."""
        from reconciler.render.terminal import visible
        from reconciler.wording import counted

        minutes = max(1, code.seconds // 60)
        click.echo(
            f"Open {code.address} in a browser, on any machine. Sign in as {visible(account)}, or as a user\n"
            f"who may use its mailbox, and enter this code within {counted(minutes, 'minute')}:\n\n"
            f"    {code.user_code}\n",
            err=True,
        )

    def noted(self, note: str) -> None:
        """Print a note."""
        from reconciler.cli.terminal import show_notes

        show_notes((note,))


@click.command(
    "login",
    cls=ExampleCommand,
    examples=("reconciler login support", "reconciler login support --replace"),
)
@click.argument("name", shell_complete=completion.connectors)
@click.option("--replace", is_flag=True, help="Replace an existing refresh token.")
@project_options(
    Uses.CONFIG | Uses.STATE | Uses.NETWORK | Uses.CREDENTIALS | Uses.ACTOR | Uses.COLOR
)
def command(project: Project, *, name: str, replace: bool) -> ExitCode:
    """Log in to a mailbox in a browser, and store the refresh token where the connector's reference points.

    For connectors with the grant `refresh_token` at Microsoft or Google, whose reference can be
    written (`file:` or `keyring:`). Shows a code to enter in a browser on any machine, and waits. Exits with 4 if access was
    not allowed, and with 9 if the server could not be reached.
    """
    from reconciler.app.login import log_in
    from reconciler.cli.terminal import TerminalApprover

    references = log_in(
        project.workspace(),
        name,
        project.actor(),
        _Shown(),
        replace=replace,
        overrides=project.overrides(),
        approver=TerminalApprover(auto=False),
    )
    for reference in references:
        click.echo(f"The refresh token of {name} is in {reference}.")
    click.echo(f"Next: reconciler test {name}")
    return ExitCode.OK
