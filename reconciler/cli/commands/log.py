"""``reconciler log``."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import click

from reconciler.cli import completion
from reconciler.cli.arguments import whole_number
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import DURATION, format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.render.formats import ListFormat, OutputFormat

if TYPE_CHECKING:
    from datetime import timedelta

_RESULTS = ("sent", "partly", "refused", "temporary", "uncertain")


@click.command(
    "log",
    cls=ExampleCommand,
    examples=(
        "reconciler log --since 2d",
        "reconciler log --connector payroll --result refused",
        "reconciler log --message-id '<4b…@contoso.example>' --format json",
        "reconciler log --since 30d --limit 1000000 --format jsonl | gzip > log.jsonl.gz",
        "reconciler log --prune 400d",
    ),
)
@format_option(ListFormat)
@click.option(
    "--connector",
    metavar="NAME",
    shell_complete=completion.connectors,
    help="Only mail through this connector.",
)
@click.option("--actor", "who", metavar="NAME", help="Only mail that this user sent.")
@click.option("--application", metavar="NAME",
              help="Only mail that this application handed to the gateway.")  # fmt: skip
@click.option("--since", type=DURATION, metavar="AGE",
              help="Only mail not older than this, such as 30m, 12h or 2d.")  # fmt: skip
@click.option("--result", type=click.Choice(_RESULTS), help="Only mail with this result.")
@click.option("--message-id", metavar="ID", help="Only the mail with this Message-ID.")
@click.option("--limit", type=whole_number(1), default=50, show_default=True, metavar="N",
              help="List at most N entries.")  # fmt: skip
@click.option("--prune", type=DURATION, metavar="AGE",
              help="Delete older entries, after asking. Requires an Administrator.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask before --prune.")
@project_options(Uses.CONFIG | Uses.STATE | Uses.SENDER | Uses.COLOR)
def command(
    project: Project,
    *,
    output_format: ListFormat,
    connector: str | None,
    who: str | None,
    application: str | None,
    since: timedelta | None,
    result: str | None,
    message_id: str | None,
    limit: int,
    prune: timedelta | None,
    yes: bool,
) -> ExitCode:
    """Show which mails were sent or refused, by whom, and the result, newest first.

    The content and the subject of a mail are never kept. The result is sent, partly (some recipients were
    refused), refused, temporary (may succeed later) or uncertain (it may have been delivered).
    """
    from reconciler.app.audit import moment_before
    from reconciler.app.send_log import attempts, each_attempt
    from reconciler.cli.spool import echoed_at_the_end
    from reconciler.model.sending import EVERY_SENDING, SendingFilter, SendingResult
    from reconciler.render.log import log_pieces, log_text

    if prune is not None:
        return _prune(project, prune, yes=yes)
    asked = SendingFilter(
        since=moment_before(since) if since is not None else None,
        connector=connector or "",
        actor=who or "",
        application=application or "",
        message_id=message_id or "",
        result=SendingResult(result) if result else None,
    )
    match output_format:
        case OutputFormat.HUMAN:
            found = attempts(project.workspace(), asked, limit)
            nothing = "The log of sending is empty." if asked == EVERY_SENDING else "No such mail."
            click.echo(log_text(found, project.stdout_style(), nothing))
        case OutputFormat.JSON | OutputFormat.JSON_LINES:
            with (
                echoed_at_the_end() as echo,
                each_attempt(project.workspace(), asked, limit) as each,
            ):
                echo(log_pieces(each, output_format))
        case _:
            assert_never(output_format)
    return ExitCode.OK


def _prune(project: Project, age: timedelta, *, yes: bool) -> ExitCode:
    from reconciler.app.audit import moment_before
    from reconciler.app.send_log import prune
    from reconciler.cli.pruning import confirm_and_prune

    before = moment_before(age)
    return confirm_and_prune(
        lambda: prune(project.workspace(), project.actor(), before),
        before,
        "log entries",
        lambda gone: f"{gone} log {'entry' if gone == 1 else 'entries'}",
        yes=yes,
    )
