"""Asking for approval: on a terminal, or beforehand by an option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from reconciler.cli.console import is_interactive
from reconciler.errors import PlanRefused
from reconciler.render.human.plan import plan_text
from reconciler.render.style import Style

if TYPE_CHECKING:
    from reconciler.app.planning import Planned


@dataclass(frozen=True, slots=True)
class TerminalApprover:
    """Shows the plan, and asks unless ``auto`` has answered already.

    ``quiet`` leaves the plan out, for output that a program reads.
    """

    style: Style
    auto: bool
    quiet: bool = False

    @property
    def is_person(self) -> bool:
        """Whether a person is asked."""
        return not self.auto and is_interactive()

    def approve(self, planned: Planned, *, skip_tests: bool) -> bool:
        """Show the plan and get an answer; raises PlanRefused if there is nobody to ask."""
        if not self.quiet:
            click.echo(plan_text(planned.plan, self.style, skip_tests=skip_tests))
            click.echo()
        if self.auto:
            return True
        if not is_interactive():
            raise PlanRefused(
                "nobody approved the plan, and there is no terminal to ask on",
                hint="Approve it beforehand with --auto-approve, or apply a saved plan.",
            )
        answer: str = click.prompt(
            "Do you want to apply this? Only 'yes' will be accepted",
            default="",
            show_default=False,
            err=True,
        )
        return answer.strip() == "yes"
