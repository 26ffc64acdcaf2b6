"""Findings: the problems that a check reports, each at a place in a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.config.resolved import ResolvedConfiguration

if TYPE_CHECKING:
    from reconciler.config.raw import RawDocument
    from reconciler.diagnostics import Diagnostic, Route


class Finding(Struct, frozen=True):
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
