"""Saved plans: what a reviewer approved, bound to what it was made from.

Applying a saved plan makes the plan anew and refuses any difference; the file is the yardstick and is
never executed. So a file that was tampered with can stop an apply, and do nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from reconciler.model.resource import JSON, canonical_json, digest, to_plain
from reconciler.plan.desired import Overrides
from reconciler.plan.document import PlanDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a plan was made from.

    ``fingerprints`` is the digest of the secrets' fingerprints, empty if no secret was looked at.
    """

    configuration: str
    lineage: str
    serial: int
    fingerprints: str
    tool_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverridesDocument:
    """The overrides under which a plan was made; they hold when the file is applied."""

    deletes: int = 0
    updates: int = 0
    policy_change: bool = False
    credential_redirects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """The file that ``plan --out`` writes. ``digest`` covers everything else in it."""

    format_version: Literal["1.0"] = "1.0"
    basis: Basis
    overrides: OverridesDocument
    plan: PlanDocument
    digest: str

    @property
    def allowed(self) -> Overrides:
        """The overrides as the planner takes them."""
        return Overrides(
            self.overrides.deletes,
            self.overrides.updates,
            self.overrides.policy_change,
            frozenset(self.overrides.credential_redirects),
        )


def seal(basis: Basis, overrides: Overrides, plan: PlanDocument) -> PlanFile:
    """Make the file for a plan."""
    allowed = OverridesDocument(
        deletes=overrides.deletes,
        updates=overrides.updates,
        policy_change=overrides.policy_change,
        credential_redirects=tuple(sorted(overrides.credential_redirects)),
    )
    unsealed = PlanFile(basis=basis, overrides=allowed, plan=plan, digest="")
    return replace(unsealed, digest=_digest(unsealed))


def to_text(file: PlanFile) -> str:
    """The text of the file: JSON on one line, the same for the same plan."""
    return canonical_json(to_plain(file, nulls=True)) + "\n"


def is_sealed(file: PlanFile) -> bool:
    """Whether the file is as it was written."""
    return file.digest == _digest(file)


def differences(file: PlanFile, basis: Basis, plan: PlanDocument) -> tuple[str, ...]:
    """What no longer holds of a saved plan, a sentence each; empty if all of it does."""
    saved = file.basis
    found = []
    if not is_sealed(file):
        found.append("the plan file was changed after it was written")
    if saved.tool_version != basis.tool_version:
        found.append(
            f"it was made by release {saved.tool_version}, and this is {basis.tool_version}"
        )
    if saved.configuration != basis.configuration:
        found.append("the configuration is another one")
    if saved.lineage != basis.lineage:
        found.append("the stored state is another one (its lineage differs)")
    elif saved.serial != basis.serial:
        found.append(f"the stored state has moved on from serial {saved.serial} to {basis.serial}")
    if saved.fingerprints and saved.fingerprints != basis.fingerprints:
        found.append("a secret is another one than when the plan was made")
    if not saved.fingerprints:
        found += [
            f"the secret {reference} was rotated, which a plan without --check-secrets cannot see"
            for change in plan.resource_changes
            for reference in change.change.rotated_secrets
        ]
    if not found and _compared(file.plan) != _compared(plan):
        found.append("other changes would be made")
    return tuple(found)


def _compared(plan: PlanDocument) -> JSON:
    # Which connectors are known to work may change at any time; what is tested is no part of the word.
    return to_plain(replace(plan, tests=()), nulls=True)


def _digest(file: PlanFile) -> str:
    return digest(to_plain(replace(file, digest=""), nulls=True))
