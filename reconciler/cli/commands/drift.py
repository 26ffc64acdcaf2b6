"""``reconciler drift``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode, exit_code_of_tests
from reconciler.cli.options import SHARD, format_option, record_option, tuning_options
from reconciler.cli.project import Project, Uses, project_options
from reconciler.cli.reports import Report, report_option, writing
from reconciler.render.formats import DriftFormat, TestReportFormat

if TYPE_CHECKING:
    from reconciler.app.drift import Drift
    from reconciler.errors import ReconcilerError
    from reconciler.probe.drift import Checked
    from reconciler.probe.shard import Shard
    from reconciler.render.drift import DriftDocument


@click.command(
    "drift",
    cls=ExampleCommand,
    examples=(
        "reconciler drift",
        "reconciler drift --cert-days 30 --report markdown=drift.md",
        "reconciler drift 'info*' --no-record --format json",
        "reconciler drift --shard 2/8",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completion.connectors)
@format_option(DriftFormat)
@click.option("-l", "--label", "labels", multiple=True, metavar="LABEL",
              shell_complete=completion.labels,
              help="Only connectors with this label; if repeated, with all of the labels.")  # fmt: skip
@click.option("--shard", type=SHARD, metavar="K/N",
              help="Only the K-th of N parts; a connector is always in the same part. K is job in a Kubernetes Job.")  # fmt: skip
@click.option("--cert-days", type=click.IntRange(0, 3650), default=21, show_default=True, metavar="N",
              help="Report certificates with fewer days left.")  # fmt: skip
@tuning_options
@record_option
@report_option(TestReportFormat)
@project_options(Uses.CONFIG | Uses.STATE | Uses.NETWORK | Uses.ACTOR | Uses.COLOR)
def command(
    project: Project,
    *,
    names: tuple[str, ...],
    output_format: DriftFormat,
    labels: tuple[str, ...],
    shard: Shard | None,
    cert_days: int,
    concurrency: int | None,
    per_host: int | None,
    timeout: float | None,
    retries: int | None,
    record: bool,
    reports: tuple[Report[TestReportFormat], ...],
) -> ExitCode:
    """Test what is applied, and report what changed since the last test.

    NAME is a stored connector or a shell pattern. Tests what the state holds, whatever the files
    say. Exits with 4 if a server rejects a connector, else with 9 if one could not be reached, else
    with 2 if something changed or a certificate is about to expire, else with 0.
    """
    from reconciler.app.drift import DriftRequest, find_drift
    from reconciler.app.selection import Selection
    from reconciler.app.test import Tuning
    from reconciler.cli.progress import TestProgressBar
    from reconciler.render.drift import drift_report, drift_text
    from reconciler.render.human.tests import recording_text

    drift: Drift | None = None

    def report(output_format: TestReportFormat, problem: ReconcilerError | None) -> str:
        document, checked = _document(drift, cert_days, problem.message if problem else None)
        return drift_report(output_format, document, checked)

    with writing(reports, report):
        space = project.workspace()
        request = DriftRequest(
            selection=Selection(names=names, labels=labels, shard=shard),
            tuning=Tuning(
                concurrency=concurrency, per_host=per_host, timeout=timeout, retries=retries
            ),
            cert_days=cert_days,
            record=record,
            actor=project.actor(),
        )
        progress = TestProgressBar(project.stderr_style(), space.connect_to, shown=False)
        drift = find_drift(space, request, progress)
    document, checked = _document(drift, cert_days, None)
    click.echo(drift_text(output_format, document, checked, project.stdout_style()))
    kept = recording_text(drift.recording)
    if kept:
        click.echo(kept, err=True)
    return _exit_code(checked)


def _document(
    drift: Drift | None, cert_days: int, problem: str | None
) -> tuple[DriftDocument, tuple[Checked, ...]]:
    from reconciler.render.drift import drift_document

    checked = drift.checked if drift is not None else ()
    serial = drift.serial if drift is not None else 0
    return drift_document(checked, serial=serial, cert_days=cert_days, error=problem), checked


def _exit_code(checked: tuple[Checked, ...]) -> ExitCode:
    code = exit_code_of_tests(item.result for item in checked)
    if code is ExitCode.OK and any(item.findings for item in checked):
        return ExitCode.CHANGES_PENDING
    return code
