"""``reconciler sendmail``, a replacement for sendmail."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from reconciler import errors
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import SendmailCode, sendmail_code, sendmail_code_of_refusals
from reconciler.cli.options import copy_wait_option
from reconciler.cli.project import Project, Uses, project_options

if TYPE_CHECKING:
    from reconciler.sending.outcome import Sent

_PASSED_ON = {
    "ignore_unknown_options": True,
    "help_option_names": ["--help"],  # -h is the hop count
}


class _SendmailCommand(ExampleCommand):
    """Keeps ``--`` among the arguments, so that sendmail's parser stops at it too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse our own options, up to ``--``."""
        if "--" in args:
            args.insert(args.index("--"), "--")
        return super().parse_args(ctx, args)


@click.command(
    "sendmail",
    cls=_SendmailCommand,
    context_settings=_PASSED_ON,
    examples=(
        "reconciler sendmail -t -i < mail.eml",
        "reconciler sendmail -i -f support@contoso.example ada@example.com < mail.eml",
        "reconciler sendmail --connector info -t -i < mail.eml",
    ),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED,
                metavar="[-t] [-i] [-f ADDRESS] [-F NAME] [RECIPIENT]...")  # fmt: skip
@click.option(
    "--connector", metavar="NAME", help="Send through this connector, whatever From says."
)
@copy_wait_option("1s")
@project_options(Uses.CONFIG_WITHOUT_SHORT | Uses.STATE | Uses.NETWORK | Uses.SENDER)
def command(
    project: Project, *, arguments: tuple[str, ...], connector: str | None, copy_wait: float
) -> int:
    """Send a mail from standard input, with the arguments of sendmail.

    \b
    -t          take the recipients from To, Cc and Bcc; Bcc is removed
    -i, -oi     a line with a single dot does not end the mail
    -f, -r      the sender, if the mail names none
    -F          the name of the sender, likewise
    -v          report what happened to the mail

    Other options of sendmail are accepted and ignored; a daemon, a queue and -bs are refused. Exits
    with the codes of sysexits.h: 75 means try again later, 67 an unknown recipient, 77 no
    permission.
    """  # noqa: D301 - click's mark for lines that are not to be wrapped
    from reconciler.app.dispatch import SendingTerms
    from reconciler.app.mailer import Mailer
    from reconciler.cli.main import show_error
    from reconciler.cli.sending import send_to_the_end
    from reconciler.sending.sendmail import mail_of, parse, until_dot

    call = parse(arguments)
    space = project.workspace()
    try:
        source = sys.stdin.buffer
        mail = mail_of(call, until_dot(source) if call.dot_ends else source.read())
        terms = SendingTerms(one_mail=True, copies_in_background=False, copy_search=copy_wait)
        mailer = Mailer(space, project.actor(), terms)
        sent = send_to_the_end(
            mailer,
            mail,
            nothing=SendmailCode.TEMPORARY,
            uncertain=SendmailCode.PROTOCOL,
            code=_code,
            connector=connector,
        )
    except errors.ReconcilerError as error:
        show_error(error)
        return sendmail_code(error)
    return _told(sent, verbose=call.verbose)


def _told(sent: Sent, *, verbose: bool) -> int:
    """Report on a mail that is out, and exit accordingly."""
    from reconciler.model.domain import with_a_label
    from reconciler.render.terminal import visible
    from reconciler.sending.outcome import CopyStatus

    if verbose:
        click.echo(
            f"Sent through {sent.route.connector} ({with_a_label(sent.host)}:{sent.port}) as "
            f"{sent.route.from_address}: {sent.message_id}, copy {sent.copy.status}"
        )
    problems = list(sent.warnings)
    if sent.copy.status is CopyStatus.FAILED:
        problems.append(f"no copy was filed: {sent.copy.sentence}")
    for problem in problems:
        click.echo(f"Warning: {visible(problem)}", err=True)
    for refused in sent.refused:
        click.echo(f"Error: refused for {visible(str(refused))}", err=True)
    if sent.refused:
        others = len(sent.accepted)
        click.echo(f"The mail went to the other {others}; do not send it to them again.", err=True)
    return _code(sent)


def _code(sent: Sent) -> int:
    if not sent.refused:
        return SendmailCode.OK
    return sendmail_code_of_refusals(*(refused.status for refused in sent.refused))
