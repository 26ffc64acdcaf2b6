"""``reconciler history``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options


@click.command(
    "history",
    cls=ExampleCommand,
    examples=(
        "reconciler history",
        "reconciler history support --limit 5",
        "reconciler history show 12",
        "reconciler history show 12 --format json",
    ),
)
@click.argument("what", nargs=-1, metavar="[ADDRESS | show SERIAL]")
@format_option("human", "json")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N",
              help="List at most so many.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def command(project: Project, *, what: tuple[str, ...], form: str, limit: int) -> None:
    """Show who applied what, when, and from which git commit, newest first.

    With ADDRESS, show what happened to that resource, under its former names too; a bare name is a
    connector's. With show SERIAL, show every change of that revision, field by field.
    """
    from reconciler.app.history import changes_of, entries_of, revision
    from reconciler.app.state import parse_address, reading
    from reconciler.render.history import entries_text, revision_text, revisions_text

    style = project.stdout_style()
    serial = _serial(what)
    address = parse_address(what[0]) if what and serial is None else None
    with reading(project.workspace()) as reader:
        if serial is not None:
            found = revision(reader, serial)
            text = revision_text(found, changes_of(reader, serial), form, style)
        elif address is not None:
            text = entries_text(*entries_of(reader, address, limit), form, style)
        else:
            text = revisions_text(reader.revisions(limit=limit), form, style)
    click.echo(text)


def _serial(what: tuple[str, ...]) -> int | None:
    """The serial of ``show SERIAL``; None for anything else that makes sense."""
    if what[:1] != ("show",):
        if len(what) > 1:
            raise click.UsageError("Give one ADDRESS, or show and a SERIAL.")
        return None
    if len(what) != 2 or not what[1].isdecimal() or not int(what[1]):  # noqa: PLR2004 - show SERIAL
        raise click.UsageError(
            "show takes one SERIAL, such as 12. A connector of that name is EmailConnector.show."
        )
    return int(what[1])
