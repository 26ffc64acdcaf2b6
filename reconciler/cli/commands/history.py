"""``reconciler history``."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import click

from reconciler.cli import completion
from reconciler.cli.arguments import whole_number
from reconciler.cli.command import CommandWithSubcommands, ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import DURATION, format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.render.formats import ListFormat, OutputFormat, TextOrJson

if TYPE_CHECKING:
    from datetime import timedelta

_OUTCOMES = ("started", "signed_in", "failed", "not_sent")


@click.group(
    "history",
    cls=CommandWithSubcommands,
    examples=(
        "reconciler history",
        "reconciler history support --limit 5",
        "reconciler history show 12",
        "reconciler history attempts --since 2d",
    ),
)
@click.argument("address", required=False, shell_complete=completion.addresses)
@format_option(TextOrJson)
@click.option("--limit", type=whole_number(1), default=50, show_default=True, metavar="N",
              help="List at most N entries.")  # fmt: skip
@click.option("--verify", is_flag=True,
              help="Recompute the digest of every revision, and find what was changed since.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def command(
    project: Project, *, address: str | None, output_format: TextOrJson, limit: int, verify: bool
) -> ExitCode:
    """Show who applied what, when, and from which git commit, newest first.

    With ADDRESS, such as EmailConnector.support, show the history of that resource, including its former
    names. A bare name is the name of a connector.
    """
    from reconciler.app.history import entries_of
    from reconciler.app.state import parse_address
    from reconciler.render.history import entries_text, revisions_text

    if verify:
        return _verify(project)
    style = project.stdout_style()
    found = parse_address(address) if address is not None else None
    with project.workspace().reading() as reader:
        if found is not None:
            text = entries_text(*entries_of(reader, found, limit), output_format, style)
        else:
            text = revisions_text(reader.revisions(limit=limit), output_format, style)
    click.echo(text)
    return ExitCode.OK


def _verify(project: Project) -> ExitCode:
    from reconciler.app.history import verify as prove

    with project.workspace().reading() as reader:
        found = prove(reader)
    if found.newest is None:
        click.echo("Nothing was applied yet.")
        return ExitCode.OK
    if found.broken:
        click.echo(
            f"Revision {found.broken[0]} does not match its digest: it, or one before it, was changed"
            " after it was written."
        )
        return ExitCode.FAILED
    click.echo(
        f"All revisions match their digests. Revision {found.newest.serial}: {found.newest.chain}"
    )
    return ExitCode.OK


@command.command(
    "show",
    cls=ExampleCommand,
    examples=("reconciler history show 12", "reconciler history show 12 --format json"),
)
@click.argument("serial", type=whole_number(1))
@format_option(TextOrJson)
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def show(project: Project, *, serial: int, output_format: TextOrJson) -> None:
    """Show every change of one revision, field by field."""
    from reconciler.app.history import changes_of, revision
    from reconciler.render.history import revision_text

    with project.workspace().reading() as reader:
        found = revision(reader, serial)
        changes = changes_of(reader, serial)
    click.echo(revision_text(found, changes, output_format, project.stdout_style()))


@command.command(
    "attempts",
    cls=ExampleCommand,
    examples=(
        "reconciler history attempts --since 2d",
        "reconciler history attempts --connector support --outcome failed --format json",
        "reconciler history attempts --prune 90d",
    ),
)
@format_option(ListFormat)
@click.option(
    "--connector",
    metavar="NAME",
    shell_complete=completion.connectors,
    help="Only attempts for this connector.",
)
@click.option("--since", type=DURATION, metavar="AGE",
              help="Only attempts not older than this, such as 30m, 12h or 2d.")  # fmt: skip
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="Only attempts with this outcome.")
@click.option("--limit", type=whole_number(1), default=50, show_default=True, metavar="N",
              help="List at most N attempts.")  # fmt: skip
@click.option("--prune", type=DURATION, metavar="AGE",
              help="Delete older attempts, after asking. Requires an Administrator.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask before --prune.")
@project_options(Uses.CONFIG | Uses.STATE | Uses.ACTOR | Uses.COLOR)
def attempts(
    project: Project,
    *,
    output_format: ListFormat,
    connector: str | None,
    since: timedelta | None,
    outcome: str | None,
    limit: int,
    prune: timedelta | None,
    yes: bool,
) -> ExitCode:
    """Show which secrets were about to be sent where, by whom, and the outcome, newest first.

    Attempts are recorded before the connection is made, by apply, test, drift, doctor, login and
    plan --test. An outcome is signed_in, failed (the secret may have been delivered), not_sent, or started
    (no outcome was recorded).
    """
    from reconciler.app.attempts import each_attempt, recorded_attempts
    from reconciler.app.audit import moment_before
    from reconciler.cli.spool import echoed_at_the_end
    from reconciler.model.sign_in_attempt import AttemptFilter, AttemptOutcome
    from reconciler.render.attempts import attempts_pieces, attempts_text

    if prune is not None:
        return _prune(project, prune, yes=yes)
    chosen = AttemptFilter(
        since=moment_before(since) if since is not None else None,
        connector=connector or "",
        outcome=AttemptOutcome(outcome) if outcome else None,
    )
    match output_format:
        case OutputFormat.HUMAN:
            found = recorded_attempts(project.workspace(), chosen, limit)
            click.echo(attempts_text(found, project.stdout_style()))
        case OutputFormat.JSON | OutputFormat.JSON_LINES:
            with (
                echoed_at_the_end() as echo,
                each_attempt(project.workspace(), chosen, limit) as each,
            ):
                echo(attempts_pieces(each, output_format))
        case _:
            assert_never(output_format)
    return ExitCode.OK


def _prune(project: Project, age: timedelta, *, yes: bool) -> ExitCode:
    from reconciler.app.attempts import prune_attempts
    from reconciler.app.audit import moment_before
    from reconciler.cli.pruning import confirm_and_prune
    from reconciler.wording import counted

    before = moment_before(age)
    return confirm_and_prune(
        lambda: prune_attempts(project.workspace(), project.actor(), before),
        before,
        "attempts",
        lambda gone: counted(gone, "attempt"),
        yes=yes,
    )
