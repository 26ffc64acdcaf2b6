"""The outcome of planning, for the reports of ``plan`` and ``apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import BaseInvalid, ConfigurationInvalid

if TYPE_CHECKING:
    from reconciler.app.plan import Planned
    from reconciler.app.workspace import Workspace
    from reconciler.cli.progress import TestProgressBar
    from reconciler.cli.project import Project
    from reconciler.errors import ReconcilerError
    from reconciler.render.plan import PlanOutcome


def plan_outcome(
    project: Project,
    space: Workspace | None,
    made: Planned | None,
    progress: TestProgressBar | None,
    problem: ReconcilerError | None,
) -> PlanOutcome:
    """The outcome, as far as planning got; each argument is None if it was not reached."""
    from reconciler.app.repository import source_root  # noqa: PLC0415 - only where there is a report
    from reconciler.render.plan import PlanOutcome  # noqa: PLC0415 - likewise

    problems = made.loaded.diagnostics if made else ()
    if isinstance(problem, ConfigurationInvalid) and not isinstance(problem, BaseInvalid):
        problems = problem.diagnostics
    return PlanOutcome(
        plan=made.plan if made else None,
        denials=made.denials if made else (),
        actor=project.actor().name,
        diagnostics=problems,
        error=problem.message if problem else None,
        results=tuple(progress.results) if progress else (),
        root=source_root(),
        project=(space.settings.project if space else None) or "",
        environment=space.environment if space else project.environment or "",
    )
