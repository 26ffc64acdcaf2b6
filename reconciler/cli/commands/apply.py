"""``reconciler apply``."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode, exit_code_of_tests
from reconciler.cli.options import DURATION, format_option
from reconciler.cli.plan_outcome import plan_outcome
from reconciler.cli.project import Project, Uses, project_options
from reconciler.cli.reports import Report, report_option, writing
from reconciler.errors import ReconcilerError
from reconciler.render.formats import OutputFormat, PlanReportFormat, TextOrJson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from reconciler.app.apply import ApplyOutcome
    from reconciler.app.workspace import Workspace
    from reconciler.cli.progress import ApplyProgressBar
    from reconciler.render.report import Outcome
    from reconciler.state.write_outcome import WriteOutcome


def _reason(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    reason = " ".join((value or "").split())
    if value is not None and not reason:
        raise click.BadParameter("give the reason in a few words", context, parameter)
    if reason.startswith("-"):  # click would take any next word
        message = f"the reason is missing before {reason}: give it in a few words"
        raise click.BadParameter(message, context, parameter)
    return reason


@click.command(
    "apply",
    cls=ExampleCommand,
    examples=(
        "reconciler apply",
        "reconciler apply --auto-approve",
        "reconciler apply plan.json",
        "reconciler apply --only support",
        'reconciler apply --skip-tests "provider outage, ticket 4711"',
    ),
)
@click.argument("plan_file", required=False,
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@click.option("--keep-going", is_flag=True,
              help="If connectors fail their test, apply the rest.")  # fmt: skip
@click.option("--skip-tests", metavar="REASON", callback=_reason,
              help="Skip the live tests; the reason is recorded.")  # fmt: skip
@click.option("--lock-timeout", type=DURATION, default="0s", show_default=True, metavar="TIME",
              help="How long to wait for the lock, as in 30s or 5m.")  # fmt: skip
@format_option(TextOrJson)
@report_option(PlanReportFormat)
@project_options(
    Uses.CONFIG | Uses.STATE | Uses.SCOPE | Uses.NETWORK | Uses.ACTOR | Uses.OVERRIDES | Uses.COLOR
)
def command(
    project: Project,
    *,
    plan_file: Path | None,
    auto_approve: bool,
    keep_going: bool,
    skip_tests: str,
    lock_timeout: timedelta,
    output_format: TextOrJson,
    reports: tuple[Report[PlanReportFormat], ...],
) -> ExitCode:
    """Test what changed, and write it to the stored state, all or nothing.

    With PLAN_FILE, applies exactly the saved plan, or nothing. Running it again
    changes nothing.
    """
    from reconciler.cli.closing import closing_line
    from reconciler.state.write_outcome import WriteOutcome

    written = WriteOutcome()
    space: Workspace | None = None
    progress: ApplyProgressBar | None = None
    ended: ApplyOutcome | None = None
    as_json = output_format is OutputFormat.JSON

    def report(output_format: PlanReportFormat, problem: ReconcilerError | None) -> str:
        return _report(
            project, space, progress, ended, problem, output_format=output_format, written=written
        )

    with closing_line(written):
        with writing(reports, report), _printing(as_json, report):
            from reconciler.app.apply import ApplyRequest, apply
            from reconciler.app.saved_plan import read_plan_file
            from reconciler.apply.executor import ApplyOptions
            from reconciler.cli.progress import ApplyProgressBar
            from reconciler.cli.terminal import TerminalApprover

            space = project.workspace()
            request = ApplyRequest(
                actor=project.actor(),
                overrides=project.overrides(),
                conduct=ApplyOptions(keep_going=keep_going, skip_tests=skip_tests),
                plan_file=read_plan_file(plan_file) if plan_file else None,
                lock_timeout=lock_timeout,
                first_apply=project.first_apply,
                scope=project.scope(),
                outcome=written,
            )
            progress = ApplyProgressBar(
                project.stderr_style(),
                space.connect_to,
                out=project.stderr_style() if as_json else project.stdout_style(),
                skip_tests=bool(skip_tests),
                plan_on_stderr=as_json,
            )
            approver = TerminalApprover(auto_approve or plan_file is not None)
            ended = apply(space, request, approver, progress)
        if not as_json:
            from reconciler.render.applied import applied

            click.echo(applied(ended.applied, project.stdout_style()))
        if ended.applied is None:
            return ExitCode.REFUSED
        return exit_code_of_tests(ended.applied.results)


@contextmanager
def _printing(
    as_json: bool,  # noqa: FBT001 - private
    report: Callable[[PlanReportFormat, ReconcilerError | None], str],
) -> Iterator[None]:
    """Print the report when the block ends, however it ends, if standard output is for it."""
    problem: ReconcilerError | None = ReconcilerError("interrupted")
    try:
        yield
        problem = None
    except ReconcilerError as error:
        problem = error
        raise
    finally:
        if as_json:
            click.echo(report(OutputFormat.JSON, problem))


def _report(
    project: Project,
    space: Workspace | None,
    progress: ApplyProgressBar | None,
    outcome: ApplyOutcome | None,
    problem: ReconcilerError | None,
    *,
    output_format: PlanReportFormat,
    written: WriteOutcome,
) -> str:
    from reconciler.render.report import apply_report

    done = outcome.applied if outcome else None
    ending: Outcome = "failed"
    if outcome is not None:
        ending = "not_approved" if done is None else "applied" if done.revision else "unchanged"
    planned = plan_outcome(project, space, progress.plan if progress else None, progress, problem)
    serial = written.serial if written.known else None
    return apply_report(output_format, outcome=ending, serial=serial, planned=planned)
