"""Findings: the problems that a check reports, each at a place in a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.config.raw import RawDocument
from reconciler.config.resolved import ResolvedConfiguration
from reconciler.config.rules import problem
from reconciler.diagnostics import Route

if TYPE_CHECKING:
    from reconciler.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem under a rule, at a route; a route to nothing means the closest thing around it."""

    rule: str
    raw: RawDocument
    route: Route
    message: str
    hint: str = ""

    def placed(self) -> Diagnostic:
        """The diagnostic that it becomes."""
        at = self.raw.positions.of(self.route)
        return problem(
            self.rule,
            self.message,
            hint=self.hint,
            file=self.raw.file,
            line=at.line,
            column=at.column,
        )


Check = Callable[[ResolvedConfiguration], Iterator[Finding]]
"""Inspects the whole configuration and yields its problems."""


def location(raw: RawDocument, route: Route) -> str:
    """A place that a message refers to, as compilers write it."""
    at = raw.positions.of(route)
    return f"{raw.file}:{at.line}:{at.column}"
