"""The scope of a plan as a document for machines, in plans and in plan files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from reconciler.model.address import Kind
from reconciler.plan.scope import Scope

if TYPE_CHECKING:
    from reconciler.plan.scope import PartialPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeDocument:
    """The requested scope: patterns, labels and kinds, each empty where it leaves nothing out."""

    only: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Convert a scope to its published form."""
        return cls(only=scope.patterns, labels=scope.labels, kinds=scope.kinds)

    @property
    def scope(self) -> Scope:
        """The scope in the planner's form."""
        return Scope(self.only, self.labels, self.kinds)


EVERYTHING = ScopeDocument()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialDocument:
    """A partial plan.

    ``dependencies`` are addresses that are included, ``left_out`` those that are not.
    """

    scope: ScopeDocument
    dependencies: tuple[str, ...]
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, partial: PartialPlan) -> Self:
        """Convert the extent of a partial plan to its published form."""
        return cls(
            scope=ScopeDocument.of(partial.scope),
            dependencies=tuple(map(str, partial.dependencies)),
            left_out=tuple(map(str, partial.left_out)),
        )
