"""``reconciler test``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode, exit_code_of_tests
from reconciler.cli.options import (
    color_option,
    config_option,
    format_option,
    network_options,
    workspace,
)
from reconciler.cli.reports import Report, report_option

_DEPTHS = ("secret", "dns", "tcp", "tls", "capabilities", "authentication", "mailbox", "envelope")


@click.command(
    "test",
    cls=ExampleCommand,
    examples=(
        "reconciler test",
        "reconciler test payroll 'info*'",
        "reconciler test --label hr --depth tls --format json",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@config_option
@format_option("human", "json")
@click.option("-l", "--label", "labels", multiple=True, metavar="LABEL",
              help="Only connectors with this label. Repeatable: all of them.")  # fmt: skip
@click.option("--depth", type=click.Choice(_DEPTHS), help="Stop after this stage.")
@report_option("json")
@network_options
@color_option
def command(
    *,
    names: tuple[str, ...],
    config: str,
    form: str,
    labels: tuple[str, ...],
    depth: str | None,
    connect_to: tuple[str, ...],
    ca_file: str | None,
    color: bool | None,
    reports: tuple[Report, ...],
) -> ExitCode:
    """Test connectors live, over IMAP and SMTP, without sending anything.

    NAME is a connector or a shell pattern; without one, all connectors are tested. Exits with 4 if a
    server said no, and with 9 if servers could not be reached.
    """
    from reconciler.app.testing import run_tests
    from reconciler.cli.console import stderr_style
    from reconciler.cli.progress import TestProgress
    from reconciler.probe.report import report
    from reconciler.probe.result import Stage
    from reconciler.render.json import to_json

    space = workspace(config, connect_to=connect_to, ca_file=ca_file)
    progress = TestProgress(stderr_style(colour=color), space.connect_to, out=form == "human")
    try:
        tested = run_tests(
            space, names, labels, depth=Stage(depth) if depth else None, progress=progress
        )
    finally:
        for wanted in reports:
            wanted.write(to_json(report(tuple(progress.results))))
    if form == "json":
        click.echo(to_json(report(tested.results)))
    return exit_code_of_tests(tested.results)
