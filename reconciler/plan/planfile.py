"""Saved plans: what a reviewer approved, bound to what it was made from.

Applying a saved plan makes the plan again and refuses any difference; the file is only compared and
never executed. So a tampered file can stop an apply, and nothing else. Approvals cannot be worked
out again; they count only if the file is sealed under the fingerprint key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

from reconciler.model.canonical import document_digest
from reconciler.model.credential_rule import CredentialRule
from reconciler.model.resource import JSON, canonical_json, digest, to_plain
from reconciler.plan.document import PlanDocument
from reconciler.plan.inputs import Overrides
from reconciler.plan.scope_document import EVERYTHING, ScopeDocument
from reconciler.values import replace
from reconciler.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.secret_ref import SecretRef


FORMAT: Final = "1.0"
"""The format of the files that this release writes and reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretMark:
    """A digest of a secret's fingerprint, which shows whether the secret is still the same."""

    reference: str
    mark: str

    @classmethod
    def of(cls, reference: SecretRef, fingerprint: Fingerprint) -> Self:
        """The mark of a fingerprint; it depends on the key."""
        return cls(reference=str(reference), mark=digest([fingerprint.key_id, fingerprint.mac]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The inputs of a plan.

    ``secrets`` is None if no secret was resolved; ``settings`` is the digest of those in force.
    ``scope`` is the requested scope.
    """

    configuration: str
    lineage: str
    serial: int
    secrets: tuple[SecretMark, ...] | None
    tool_version: str
    settings: str = ""
    scope: ScopeDocument = EVERYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class OverridesDocument:
    """The overrides under which a plan was made; they count when the file is applied."""

    deletes: int = 0
    updates: int = 0
    policy_change: bool = False
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Proves that the writer of a plan file had a key.

    ``mac`` is HMAC-SHA256 (RFC 2104), in hexadecimal, over the file's digest; ``key_id`` names the
    key.
    """

    key_id: str
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """The file that ``plan --out`` writes.

    ``digest`` covers everything except the seal, which covers the digest. ``seal`` is None if there
    was no key.
    """

    format_version: Literal["1.0"] = "1.0"
    basis: Basis
    overrides: OverridesDocument
    plan: PlanDocument
    digest: str
    seal: Seal | None = None

    @property
    def allowed(self) -> Overrides:
        """The overrides in the planner's form."""
        return Overrides(
            self.overrides.deletes,
            self.overrides.updates,
            self.overrides.policy_change,
            frozenset(CredentialRule.parse(text) for text in self.overrides.credentials),
        )


def make_file(basis: Basis, overrides: Overrides, plan: PlanDocument) -> PlanFile:
    """Make the file for a plan, without a seal."""
    allowed = OverridesDocument(
        deletes=overrides.deletes,
        updates=overrides.updates,
        policy_change=overrides.policy_change,
        credentials=tuple(str(rule) for rule in sorted(overrides.credentials)),
    )
    draft = PlanFile(basis=basis, overrides=allowed, plan=plan, digest="")
    return replace(draft, digest=_digest(draft))


def to_text(file: PlanFile) -> str:
    """The text of the file: JSON on one line, the same for the same plan."""
    return canonical_json(to_plain(file, nulls=True)) + "\n"


def basis_differences(file: PlanFile, basis: Basis, plan: PlanDocument) -> tuple[str, ...]:
    """The ways in which a saved plan is out of date, as far as can be known without secrets."""
    saved = file.basis
    found = []
    if file.digest != _digest(file):
        found.append("the plan file was changed after it was written")
    if saved.tool_version != basis.tool_version:
        found.append(
            f"it was made by release {saved.tool_version}, and this is {basis.tool_version}"
        )
    if saved.configuration != basis.configuration:
        found.append(f"the configuration changed{_where(file.plan, plan)}")
    if saved.settings != basis.settings:
        found.append("the settings in force are different (`reconciler settings` shows them)")
    if saved.scope != basis.scope:
        found.append(f"it is about another part: {saved.scope.scope}")
    if saved.lineage != basis.lineage:
        found.append("it is another state (its lineage differs)")
    elif saved.serial != basis.serial:
        found.append(f"the stored state has moved on from serial {saved.serial} to {basis.serial}")
    return tuple(found)


def differences(file: PlanFile, basis: Basis, plan: PlanDocument) -> tuple[str, ...]:
    """The ways in which a saved plan is out of date, a sentence each; empty if it is not."""
    saved = file.basis
    found = list(basis_differences(file, basis, plan))
    if saved.secrets is not None and basis.secrets is None:
        found.append("the secrets cannot be compared without the fingerprint key")
    elif saved.secrets is not None:
        found += _rotated(saved.secrets, basis.secrets or ())
    else:
        found += [
            f"the secret {reference} was rotated, which a plan without --check-secrets cannot see"
            for change in plan.resource_changes
            for reference in change.change.rotated_secrets
        ]
    if not found and _compared(file.plan) != _compared(plan):
        found.append(f"other changes would be made{_where(file.plan, plan)}")
    return tuple(found)


def holds_together(document: JSON) -> bool:
    """Whether a file is unchanged: its digest covers every field except the seal, unknown ones too."""
    if not isinstance(document, dict):
        return False
    return document.get("digest") == digest({**document, "digest": "", "seal": None})


def _rotated(saved: Iterable[SecretMark], now: Iterable[SecretMark]) -> list[str]:
    before = {item.reference: item.mark for item in saved}
    after = {item.reference: item.mark for item in now}
    names = [name for name in sorted(before | after) if before.get(name, "") != after.get(name, "")]
    return [f"secrets changed since the plan was made: {listed(names)}"] if names else []


def _where(saved: PlanDocument, now: PlanDocument) -> str:
    """The resources that would change differently."""
    before = {item.address: item for item in saved.resource_changes}
    after = {item.address: item for item in now.resource_changes}
    names = [name for name in sorted(before | after) if before.get(name) != after.get(name)]
    return f" (it would change {listed(names)} differently)" if names else ""


def _compared(plan: PlanDocument) -> JSON:
    # The tests depend on which connectors are known to work, which may change at any time. The
    # settings in force are compared by their digest; those of the last apply do not count.
    return to_plain(replace(plan, tests=(), not_ready=(), settings_changes=()), nulls=True)


def _digest(file: PlanFile) -> str:
    return document_digest(replace(file, digest="", seal=None))
