"""Asking for approval: on a terminal, or beforehand by an option."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.cli.console import is_interactive
from reconciler.cli.question import ask
from reconciler.errors import PlanRefused


@dataclass(frozen=True, slots=True)
class TerminalApprover:
    """Asks whoever has just been shown the plan, unless ``auto`` has answered already."""

    auto: bool

    @property
    def is_person(self) -> bool:
        """Whether a person is asked."""
        return not self.auto and is_interactive()

    def approve(self) -> bool:
        """Get an answer; raises PlanRefused if there is nobody to ask."""
        if self.auto:
            return True
        if not is_interactive():
            raise PlanRefused(
                "nobody approved the plan, and there is no terminal to ask on",
                hint="Approve it beforehand with --auto-approve, or apply a saved plan.",
            )
        answer = ask("Do you want to apply this? Only 'yes' will be accepted")
        return answer.strip() == "yes"
