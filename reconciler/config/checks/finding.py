"""Findings: the problems that a check reports, each at a place in a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.config.raw import RawDocument
from reconciler.config.resolved import ResolvedConfiguration
from reconciler.diagnostics import Route

if TYPE_CHECKING:
    from reconciler.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem under a rule, at a route; if nothing is there, at the closest enclosing value."""

    rule: str
    raw: RawDocument
    route: Route
    message: str
    hint: str = ""

    def placed(self) -> Diagnostic:
        """The diagnostic that it becomes."""
        return self.raw.diagnostic(self.rule, self.route, self.message, self.hint)


Check = Callable[[ResolvedConfiguration], Iterator[Finding]]
"""Inspects the whole configuration and yields its problems."""
