"""The scope of a plan as a document for machines, in plans and in the files that they are saved to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from reconciler.model.address import Kind
from reconciler.plan.scope import Scope

if TYPE_CHECKING:
    from reconciler.plan.scope import PartialPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeDocument:
    """What a plan was to be about: patterns, labels and kinds, each empty where it leaves nothing out."""

    only: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Put a scope into the shape in which it is published."""
        return cls(only=scope.patterns, labels=scope.labels, kinds=scope.kinds)

    @property
    def scope(self) -> Scope:
        """The scope as the planner takes it."""
        return Scope(self.only, self.labels, self.kinds)


EVERYTHING = ScopeDocument()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialDocument:
    """A plan of a part. ``dependencies`` are addresses that come along, ``left_out`` those that do not."""

    scope: ScopeDocument
    dependencies: tuple[str, ...]
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, partial: PartialPlan) -> Self:
        """Put what a plan of a part is about into the shape in which it is published."""
        return cls(
            scope=ScopeDocument.of(partial.scope),
            dependencies=tuple(map(str, partial.dependencies)),
            left_out=tuple(map(str, partial.left_out)),
        )
