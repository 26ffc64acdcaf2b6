"""``reconciler send``."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.message_options import MessageOptions
from reconciler.cli.options import copy_wait_option, format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.render.formats import TextOrJson

if TYPE_CHECKING:
    from reconciler.sending.outcome import Sent


@click.command(
    "send",
    cls=ExampleCommand,
    examples=(
        "reconciler send --connector support --to ada@example.com --subject Hello --text 'Hello, Ada.'",
        "reconciler send --from info@contoso.example --to ada@example.com --subject News --html-file -",
        "reconciler send --connector support --to ada@example.com --subject Map --text Here. --attach map.pdf",
        "reconciler send --raw --dry-run < mail.eml",
    ),
)
@click.option(
    "--connector",
    metavar="NAME",
    shell_complete=completion.connectors,
    help="The connector to send through.",
)
@click.option(
    "--from",
    "sender",
    metavar="ADDRESS",
    help="The requested From address; its connector carries the mail.",
)
@click.option(
    "--from-name",
    default="",
    metavar="NAME",
    help="The display name of the sender. [default: from_name of the connector]",
)
@click.option("--to", multiple=True, metavar="ADDRESS", help="A recipient. Repeatable.")
@click.option("--cc", multiple=True, metavar="ADDRESS", help="A recipient of a copy. Repeatable.")
@click.option(
    "--bcc",
    multiple=True,
    metavar="ADDRESS",
    help="A hidden recipient. Repeatable.",
)
@click.option("--reply-to", metavar="ADDRESS", help="Where replies go.")
@click.option("--subject", metavar="TEXT", help="The subject; it must not be empty.")
@click.option("--text", metavar="TEXT", help="The text.")
@click.option("--text-file", metavar="FILE", help="The text, from a file; - is standard input.")
@click.option("--html", metavar="TEXT", help="The text as HTML; plain text is made from it.")
@click.option("--html-file", metavar="FILE", help="The HTML, from a file; - is standard input.")
@click.option(
    "--attach",
    multiple=True,
    metavar="FILE[;type=TYPE]",
    help="Attach a file; its type is guessed from its name. Repeatable.",
)
@click.option(
    "--inline",
    multiple=True,
    metavar="ID=FILE[;type=TYPE]",
    help="An image that the HTML refers to as cid:ID. Repeatable.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="An additional header field. Repeatable.",
)
@click.option(
    "--auto-submitted",
    is_flag=True,
    help="Mark the mail as automatic, to suppress out-of-office replies (RFC 3834).",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Send the complete message from standard input (RFC 5322), to its To, Cc and Bcc"
    " unless the options name recipients.",
)
@click.option(
    "--save-sent",
    type=click.Choice(("auto", "always", "never")),
    help="File a copy in Sent. [default: as the connector says]",
)
@copy_wait_option("3s")
@click.option("-n", "--dry-run", is_flag=True,
              help="Show the mail, its route and why, without sending it; needs no secret and no network.")  # fmt: skip
@format_option(TextOrJson)
@project_options(Uses.CONFIG | Uses.STATE | Uses.NETWORK | Uses.SENDER | Uses.COLOR)
def command(
    project: Project,
    *,
    connector: str | None,
    sender: str | None,
    reply_to: str | None,
    raw: bool,
    save_sent: str | None,
    copy_wait: float,
    dry_run: bool,
    output_format: TextOrJson,
    **letter: str | tuple[str, ...] | bool | None,
) -> ExitCode:
    """Send a mail through an applied connector.

    Shows the connector, the server, the Message-ID, the accepted and refused recipients, and what
    happened to the sent copy. Exits with 75 if nothing was sent and it may work later, with 10 if
    some recipients were refused and others have the mail, and with 1 if it failed for good or may
    have been delivered.
    """
    from reconciler.app.dispatch import SendingTerms
    from reconciler.app.mailer import Mailer
    from reconciler.cli.sending import send_to_the_end
    from reconciler.cli.streams import mute
    from reconciler.model.connector import SaveSent
    from reconciler.render.sent import prepared_text, sent_text
    from reconciler.render.terminal import visible

    options = MessageOptions(**letter)  # type: ignore[arg-type]  # click has checked them
    message = options.raw_message() if raw else options.message()
    space = project.workspace()
    style = project.stdout_style()
    terms = SendingTerms(one_mail=True, copies_in_background=False, copy_search=copy_wait)
    mailer = Mailer(space, project.actor(), terms)
    if dry_run:
        with mailer:
            mail = mailer.prepare(message, sender=sender, connector=connector, reply_to=reply_to)
        click.echo(prepared_text(mail, output_format, style))
        return ExitCode.OK
    sent = send_to_the_end(
        mailer,
        message,
        nothing=ExitCode.INTERRUPTED,
        uncertain=ExitCode.FAILED,
        code=_code,
        sender=sender,
        connector=connector,
        reply_to=reply_to,
        save_sent=SaveSent(save_sent) if save_sent else None,
    )
    warnings = list(sent.warnings)
    try:
        click.echo(sent_text(sent, output_format, style))
    except OSError as error:
        # The mail is out: a caller that sees a failure would send it again.
        mute(sys.stdout)
        warnings.append(
            f"the mail was sent, but this output could not be written: {error.strerror}"
        )
    warning = project.stderr_style().changed("Warning:")
    with suppress(OSError):
        for text in warnings:
            click.echo(f"{warning} {visible(text)}.", err=True)
    return _code(sent)


def _code(sent: Sent) -> ExitCode:
    return ExitCode.PARTLY_SENT if sent.refused else ExitCode.OK
