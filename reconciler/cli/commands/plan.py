"""``reconciler plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import format_option
from reconciler.cli.plan_outcome import plan_outcome
from reconciler.cli.project import Project, Uses, project_options
from reconciler.cli.reports import Report, report_option, writing
from reconciler.errors import UsageError
from reconciler.render.formats import PlanFormat, PlanReportFormat

if TYPE_CHECKING:
    from reconciler.app.plan import Planned
    from reconciler.app.workspace import Workspace
    from reconciler.cli.progress import TestProgressBar
    from reconciler.errors import ReconcilerError
    from reconciler.secrets.base import FingerprintKey


@click.command(
    "plan",
    cls=ExampleCommand,
    examples=(
        "reconciler plan",
        "reconciler plan --detailed-exitcode --out plan.json",
        "reconciler plan --only 'shop-*' --label team=hr",
        "reconciler plan --format markdown >> $GITHUB_STEP_SUMMARY",
        "reconciler plan --report markdown=plan.md --report json=plan-report.json",
        "reconciler plan --base origin/main",
    ),
)
@format_option(PlanFormat)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Save the plan, for `reconciler apply FILE`.")  # fmt: skip
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if there are changes.")
@click.option("--check-secrets", is_flag=True,
              help="Resolve the secrets, to find rotated ones. Contacts no mail server.")  # fmt: skip
@click.option("--test", "live", is_flag=True,
              help="Run the live tests that an apply would run. Resolves secrets and contacts servers.")  # fmt: skip
@click.option("--base", metavar="REF",
              help="Compare with the files of this git commit instead of the stored state,"
              " which is not read: for pull requests from forks.")  # fmt: skip
@report_option(PlanReportFormat)
@project_options(
    Uses.CONFIG | Uses.STATE | Uses.SCOPE | Uses.NETWORK | Uses.ACTOR | Uses.OVERRIDES | Uses.COLOR
)
def command(
    project: Project,
    *,
    output_format: PlanFormat,
    out: Path | None,
    detailed_exitcode: bool,
    check_secrets: bool,
    live: bool,
    base: str | None,
    reports: tuple[Report[PlanReportFormat], ...],
) -> ExitCode:
    """Show what an apply would change, and who then sends as whom.

    Needs no secret and no network, so it is safe to run on a stranger's pull request.
    """
    space: Workspace | None = None
    made: Planned | None = None
    progress: TestProgressBar | None = None

    def report(output_format: PlanReportFormat, problem: ReconcilerError | None) -> str:
        from reconciler.render.plan_report import plan_report

        return plan_report(plan_outcome(project, space, made, progress, problem), output_format)

    if base is not None:
        _refuse_with_base(
            **{"--out": out is not None, "--check-secrets": check_secrets, "--test": live}
        )
    with writing(reports, report):
        from reconciler.app.plan import make_plan
        from reconciler.cli.terminal import show_notes
        from reconciler.render.human.diagnostics import diagnostics
        from reconciler.render.plan import planned as render

        space = project.workspace()
        who = project.actor()
        if base is not None:
            from reconciler.app.base_plan import plan_from_base

            made = plan_from_base(space, base, overrides=project.overrides(), scope=project.scope())
        else:
            made = make_plan(
                space,
                who.name,
                overrides=project.overrides(),
                check_secrets=check_secrets or live,
                first_apply=project.first_apply,
                scope=project.scope(),
            )
        if made.loaded.diagnostics:
            click.echo(diagnostics(made.loaded.diagnostics, project.stderr_style()), err=True)
        show_notes(made.notes)
        outcome = plan_outcome(project, space, made, None, None)
        click.echo(render(outcome, output_format, project.stdout_style()))
        if out is not None:
            _save(out, made, space.fingerprint_key())
        if live:
            from reconciler.app.test import try_plan
            from reconciler.cli.progress import TestProgressBar
            from reconciler.cli.terminal import TerminalApprover

            progress = TestProgressBar(project.stderr_style(), space.connect_to)
            try_plan(space, made, who, progress, TerminalApprover(auto=False))
    if detailed_exitcode and not made.plan.empty:
        return ExitCode.CHANGES_PENDING
    return ExitCode.OK


def _refuse_with_base(**given: bool) -> None:
    """Raise UsageError for an option that needs the stored state or a secret."""
    context = click.get_current_context()
    given |= {
        option: context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        for option, name in (("--state", "state"), ("--first-apply", "first_apply"))
    }
    for option in (name for name, is_given in given.items() if is_given):
        raise UsageError(
            f"{option} and --base exclude each other: with --base, no state is read and no secret",
            hint="Leave one of them out.",
        )


def _save(out: Path, made: Planned, key: FingerprintKey | None) -> None:
    from reconciler.app.saved_plan import sealed, write_plan_file

    write_plan_file(out, sealed(made.file, key))
    refused = made.denials or [
        item for item in made.plan.violations if not (key and item.needs_only_a_saved_plan)
    ]
    advice = (
        "An apply of it would be refused." if refused else f"Apply it with: reconciler apply {out}"
    )
    click.echo(f"Saved the plan. {advice}", err=True)
