"""``reconciler test``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import click

from reconciler.cli import completion
from reconciler.cli.command import CommandWithSubcommands, ExampleCommand
from reconciler.cli.exit_codes import ExitCode, exit_code_of_tests
from reconciler.cli.options import (
    SHARD,
    check_server_text,
    format_option,
    record_option,
    server_text_option,
    tuning_options,
)
from reconciler.cli.project import Project, Uses, project_options
from reconciler.cli.reports import Report, report_option, writing
from reconciler.errors import ConfigurationInvalid, ReconcilerError
from reconciler.render.formats import OutputFormat, TestFormat, TestReportFormat

if TYPE_CHECKING:
    from reconciler.app.test import TestRun
    from reconciler.cli.progress import TestProgressBar
    from reconciler.probe.drift import Recording
    from reconciler.probe.report import TestReport
    from reconciler.probe.shard import Shard

DEPTHS = ("secret", "dns", "tcp", "tls", "capabilities", "authentication", "mailbox", "envelope")


@click.group(
    "test",
    cls=CommandWithSubcommands,
    examples=(
        "reconciler test",
        "reconciler test payroll 'info*'",
        "reconciler test --label hr --depth tls --format json",
        "reconciler test --failing --retries 3 --report junit=test.xml",
        "reconciler test support --send-test-mail",
        "reconciler test --shard 2/8 --report json=shard-2.json",
        "reconciler test merge shard-*.json --report junit=test.xml",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completion.connectors)
@format_option(TestFormat)
@click.option("-l", "--label", "labels", multiple=True, metavar="LABEL",
              shell_complete=completion.labels,
              help="Only connectors with this label; if repeated, with all of the labels.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Test all connectors (the default).")
@click.option("--changed", is_flag=True, help="Only those that an apply would test.")
@click.option("--failing", is_flag=True, help="Only those whose last test failed.")
@click.option("--shard", type=SHARD, metavar="K/N",
              help="Only the K-th of N parts; a connector is always in the same part. K is job in a Kubernetes Job.")  # fmt: skip
@click.option("--depth", type=click.Choice(DEPTHS), help="Stop after this stage.")
@click.option("--send-test-mail", is_flag=True,
              help="Send a mail from each connector to its own address, find it over IMAP, remove it.")  # fmt: skip
@server_text_option
@tuning_options
@record_option
@report_option(TestReportFormat)
@project_options(
    Uses.CONFIG
    | Uses.STATE
    | Uses.SCOPE_WITHOUT_LABEL
    | Uses.NETWORK
    | Uses.ACTOR
    | Uses.CREDENTIALS
    | Uses.COLOR
)
def command(
    project: Project,
    *,
    names: tuple[str, ...],
    output_format: TestFormat,
    labels: tuple[str, ...],
    everything: bool,
    changed: bool,
    failing: bool,
    shard: Shard | None,
    depth: str | None,
    send_test_mail: bool,
    show_server_text: bool,
    concurrency: int | None,
    per_host: int | None,
    timeout: float | None,
    retries: int | None,
    record: bool,
    reports: tuple[Report[TestReportFormat], ...],
) -> ExitCode:
    """Test connectors live, over IMAP and SMTP, without sending anything unless asked to.

    NAME is a connector or a shell pattern; without one, all connectors are tested. The results
    become the status of connectors that are stored as they were tested. Exits with 4 if a server
    rejected the connector, and with 9 if servers could not be reached.
    """
    from reconciler.app.repository import source_root
    from reconciler.app.selection import SelectBy, Selection
    from reconciler.app.test import TestRequest, TestRun, Tuning
    from reconciler.cli.progress import TestProgressBar
    from reconciler.cli.terminal import TerminalApprover
    from reconciler.connection.failure import Stage
    from reconciler.render.test import report_text

    if send_test_mail and depth is not None:
        raise click.UsageError(
            "--send-test-mail runs every stage, so it cannot be combined with --depth."
        )
    check_server_text(output_format, shown=show_server_text)
    if everything + changed + failing > 1:
        raise click.UsageError("--all, --changed and --failing are mutually exclusive.")
    which = SelectBy.CHANGED if changed else SelectBy.FAILING if failing else SelectBy.ALL
    run: TestRun | None = None
    progress: TestProgressBar | None = None

    def report(output_format: TestReportFormat, problem: ReconcilerError | None) -> str:
        document = _document(run, progress, problem.message if problem else None)
        problems = problem.diagnostics if isinstance(problem, ConfigurationInvalid) else ()
        return report_text(document, output_format, problems=problems, root=source_root())

    with writing(reports, report):
        space = project.workspace()
        request = TestRequest(
            selection=Selection(names=names, labels=labels, which=which, shard=shard),
            tuning=Tuning(
                depth=Stage.DELIVERY if send_test_mail else Stage(depth) if depth else None,
                concurrency=concurrency,
                per_host=per_host,
                timeout=timeout,
                retries=retries,
                show_server_text=show_server_text,
            ),
            record=record,
            overrides=project.overrides(),
            scope=project.scope(),
            actor=project.actor(),
        )
        progress = TestProgressBar(
            project.stderr_style(), space.connect_to, out=output_format is OutputFormat.HUMAN
        )
        run = TestRun(space, request, TerminalApprover(auto=False))
        tested = run(progress)
    match output_format:
        case OutputFormat.HUMAN:  # the progress has printed the results
            if not run.connectors:
                click.echo(_nothing(which, shard))
        case OutputFormat.JSON:
            click.echo(report_text(_document(run, progress, None), OutputFormat.JSON))
        case OutputFormat.JUNIT:
            click.echo(report_text(_document(run, progress, None), OutputFormat.JUNIT))
        case _:
            assert_never(output_format)
    _say(tested.recording)
    return exit_code_of_tests(tested.results)


@command.command(
    "merge",
    cls=ExampleCommand,
    examples=("reconciler test merge shard-*.json --report junit=test.xml",),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(path_type=Path))  # fmt: skip
@format_option(TestFormat)
@report_option(TestReportFormat)
@project_options(Uses.COLOR)
def merge(
    project: Project,
    *,
    files: tuple[Path, ...],
    output_format: TestFormat,
    reports: tuple[Report[TestReportFormat], ...],
) -> ExitCode:
    """Merge the JSON reports of the shards of one run, and show what failed.

    Tests nothing. The files must be the reports of all shards of one run. Exits with the code of
    the whole run.
    """
    from reconciler.app.test import merge_files
    from reconciler.probe.report import report as report_of
    from reconciler.probe.report import results
    from reconciler.render.test import merged_text, report_text

    whole: TestReport | None = None

    def report(output_format: TestReportFormat, problem: ReconcilerError | None) -> str:
        document = whole or report_of((), error=problem.message if problem else None)
        return report_text(document, output_format)

    with writing(reports, report):
        whole = merge_files(files)
    found = results(whole)
    click.echo(merged_text(whole, found, output_format, project.stdout_style()))
    return exit_code_of_tests(found)


def _document(
    run: TestRun | None, progress: TestProgressBar | None, problem: str | None
) -> TestReport:
    from reconciler.probe.report import report
    from reconciler.values import replace

    found = progress.results if progress else []
    results = sorted(found, key=lambda item: item.connector)
    if run is None:
        return report(tuple(results), error=problem)
    done = {item.connector for item in results}
    left = tuple(item.name for item in run.connectors if item.name not in done)
    return report(tuple(results), replace(run.about, not_run=left), problem)


def _nothing(which: str, shard: Shard | None) -> str:
    if shard is not None:
        return f"Nothing to test: no matching connector is in shard {shard}."
    reasons = {
        "changed": "no matching connector is new, changed or not ready",
        "failing": "no matching connector is failing",
    }
    return f"Nothing to test: {reasons.get(which, 'there are no connectors except drafts')}."


def _say(recording: Recording) -> None:
    from reconciler.render.human.tests import recording_text

    text = recording_text(recording)
    if text:
        click.echo(text, err=True)
