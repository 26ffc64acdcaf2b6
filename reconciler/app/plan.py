"""Planning: read the desired and the stored resources, and compute the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import __version__
from reconciler.app.idle_patterns import refuse_idle_patterns
from reconciler.app.scope import refuse_empty_scope
from reconciler.apply.authorise import Denial, denials
from reconciler.errors import SecretError
from reconciler.model.address import Kind
from reconciler.plan.changes import Change, RotateSecret
from reconciler.plan.credentials import sent_by
from reconciler.plan.inputs import NO_OVERRIDES, Desired, Overrides
from reconciler.plan.planner import Plan, plan
from reconciler.plan.scope import WHOLE, Scope, narrow_to
from reconciler.secrets.schemes import is_writable
from reconciler.values import replace
from reconciler.wording import listed

if TYPE_CHECKING:
    from reconciler.app.workspace import Workspace
    from reconciler.config.load import Loaded
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.snapshot import StoredState
    from reconciler.plan.planfile import Basis, PlanFile
    from reconciler.plan.scope import PartialPlan
    from reconciler.secrets.base import FingerprintKey, SecretResolver


class Planned(Struct, frozen=True):
    """A plan with everything that it was made from.

    ``denials`` are changes that the actor may not make. ``unresolved`` are references whose
    secret could not be read, so that its rotation is unknown; ``looked`` is false if no secret
    was fetched. ``settings`` is the digest of the settings in force. ``notes`` say what could
    not be checked.
    """

    loaded: Loaded
    desired: Desired
    current: StoredState
    plan: Plan
    denials: tuple[Denial, ...]
    overrides: Overrides = NO_OVERRIDES
    settings: str = ""
    looked: bool = False
    unresolved: tuple[SecretRef, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def basis(self) -> Basis:
        """What a saved plan is bound to."""
        from reconciler.plan.planfile import Basis, SecretMark  # noqa: PLC0415 - only where a plan is saved
        from reconciler.plan.scope_document import ScopeDocument  # noqa: PLC0415 - as above

        marks = tuple(SecretMark.of(*item) for item in self.desired.fingerprints)
        return Basis(
            configuration=self.loaded.digest,
            lineage=self.current.lineage,
            serial=self.current.serial,
            secrets=marks if self.looked else None,
            tool_version=__version__,
            settings=self.settings,
            scope=ScopeDocument.of(self.plan.partial.scope if self.plan.partial else WHOLE),
        )

    @property
    def file(self) -> PlanFile:
        """The plan as it is saved, not sealed."""
        from reconciler.plan.document import to_document  # noqa: PLC0415 - as above
        from reconciler.plan.planfile import make_file  # noqa: PLC0415 - as above

        return make_file(self.basis, self.overrides, to_document(self.plan))


def make_plan(
    workspace: Workspace,
    actor: str,
    *,
    overrides: Overrides = NO_OVERRIDES,
    check_secrets: bool = False,
    first_apply: bool = False,
    scope: Scope = WHOLE,
) -> Planned:
    """Plan against the stored state, reading it without a lock.

    Resolves no secret and asks no server unless ``check_secrets`` looks for rotations; a plan
    that is refused anyway fetches none. Raises ConfigurationInvalid, PlanRefused for an empty
    state in CI, UsageError for an empty scope, or StateError if the state cannot be read or is
    the wrong one.
    """
    configured = workspace.load_valid()
    refuse_idle_patterns(configured[1], overrides)
    current = workspace.stored(like=configured[0].snapshot)
    workspace.check_state(current, first_apply=first_apply)
    offline = plan_offline(workspace, actor, configured, current, overrides=overrides, scope=scope)
    if not check_secrets or any(item.about_credentials for item in offline.plan.violations):
        return offline
    key = workspace.fingerprint_key()
    planned = plan_with_secrets(workspace, actor, offline, workspace.resolver(), key)
    return planned if current.serial else replace(planned, notes=offline.notes)


def plan_offline(
    workspace: Workspace,
    actor: str,
    configured: tuple[Loaded, Desired],
    current: StoredState,
    *,
    overrides: Overrides,
    scope: Scope = WHOLE,
) -> Planned:
    """Plan from the files and the stored state alone: no secret is fetched."""
    made = compare(workspace, configured, current, overrides=overrides, scope=scope)
    return replace(
        made,
        denials=denials(made.plan.changes, current, actor),
        notes=(
            *workspace.beside(current),
            *made.notes,
            *unknown_renames(made.desired, current),
        ),
    )


def compare(
    workspace: Workspace,
    configured: tuple[Loaded, Desired],
    current: StoredState,
    *,
    overrides: Overrides,
    scope: Scope = WHOLE,
) -> Planned:
    """Plan from ``current`` to the files, checking the limits but no permissions."""
    loaded, everything = configured
    refuse_empty_scope(scope, everything, current)
    desired, partial = narrow_to(everything, current, scope)
    made = plan(desired, current, workspace.limits, overrides)
    return Planned(
        loaded,
        desired,
        current,
        _with_origins(made, partial, loaded),
        (),
        overrides=overrides,
        settings=workspace.in_force.digest,
        notes=workspace.in_force.ignored,
    )


def _with_origins(made: Plan, partial: PartialPlan | None, loaded: Loaded) -> Plan:
    """Add to a plan what only the files say. Without changes, no document is looked up."""
    sources = made.sources
    if made.changes:
        from reconciler.config.value_sources import sources_of  # noqa: PLC0415 - only where something changes

        sources = sources_of(made.changes, loaded.written)
    return replace(made, partial=partial, environment=loaded.environment, sources=sources)


def plan_with_secrets(
    workspace: Workspace,
    actor: str,
    offline: Planned,
    resolver: SecretResolver,
    key: FingerprintKey | None,
) -> Planned:
    """Plan again with fingerprints of the secrets, to detect rotations; None means no key."""
    desired = offline.desired
    unresolved: tuple[SecretRef, ...] = ()
    if key is not None:
        desired, unresolved = with_fingerprints(desired, resolver, key)
    made = offline.plan
    if desired != offline.desired:
        made = plan(
            desired, offline.current, workspace.limits, offline.overrides, earlier=offline.plan
        )
    refused = denials(made.changes, offline.current, actor)
    rotated = rotated_for_others(made.changes, refused)
    if rotated:
        names = frozenset(item.name for item in desired.snapshot.connectors)
        desired = replace(desired, compared=(desired.compared or names) - rotated.keys())
        made = plan(
            desired, offline.current, workspace.limits, offline.overrides, earlier=offline.plan
        )
        refused = denials(made.changes, offline.current, actor)
    return replace(
        offline,
        desired=desired,
        plan=made
        if made is offline.plan
        else replace(
            made,
            partial=offline.plan.partial,
            environment=offline.plan.environment,
            sources=offline.plan.sources,  # a rotated secret is written nowhere
        ),
        denials=refused,
        looked=key is not None,
        unresolved=unresolved,
        notes=(
            *offline.notes,
            *(
                f"the secret of {name} was rotated, which is left for another apply: it {message}"
                for name, message in rotated.items()
            ),
            *notes(desired, unresolved, keyed=key is not None),
        ),
    )


def rotated_for_others(changes: tuple[Change, ...], refused: tuple[Denial, ...]) -> dict[str, str]:
    """Connectors that differ only in a secret, and who may apply that, if not this actor.

    Secrets change outside of the configuration, so they must not block unrelated changes.
    """
    changed = {item.address for item in changes if not isinstance(item, RotateSecret)}
    return {
        item.address.name: item.message
        for item in refused
        if item.address.kind is Kind.EMAIL_CONNECTOR and item.address not in changed
    }


def unknown_renames(desired: Desired, current: StoredState) -> tuple[str, ...]:
    """Notes about new connectors that declare a former name."""
    if not current.serial or not desired.renames:
        return ()
    stored = {
        item.address.name for item in current.resources if item.address.kind is Kind.EMAIL_CONNECTOR
    }
    return tuple(
        f"{new} has renamed_from: {old}, but the state has no connector of either name: {new} is created "
        "without any earlier history"
        for new, old in desired.renames
        if new not in stored and old not in stored
    )


def notes(desired: Desired, unresolved: tuple[SecretRef, ...], *, keyed: bool) -> tuple[str, ...]:
    """Warnings about secrets that could not be compared."""
    if not keyed:
        from reconciler.state.key import NO_KEY  # noqa: PLC0415 - only where secrets are looked at

        used = any(item.references for item in desired.snapshot.connectors)
        return (NO_KEY,) if used else ()
    if not unresolved:
        return ()
    names = sorted(str(reference) for reference in unresolved)
    which = listed(names)
    return (f"some secrets could not be read, so a rotation would go unnoticed: {which}",)


def with_fingerprints(
    desired: Desired, resolver: SecretResolver, key: FingerprintKey
) -> tuple[Desired, tuple[SecretRef, ...]]:
    """Fingerprint every secret that signing in would send, except those that change with use.

    A refresh token that is replaced with each use would always look rotated. Also returns the
    references that could not be resolved: the live test of their connector decides whether that
    matters.
    """
    found, missing = [], []
    values = []
    references = dict.fromkeys(
        reference
        for connector in desired.snapshot.connectors
        if desired.compares(connector.name)
        for reference in sent_by(connector)
        if not is_writable(reference.scheme) or reference not in connector.refresh_tokens
    )
    for reference in references:
        try:
            secret = resolver.resolve(reference)
        except SecretError:
            missing.append(reference)
            continue
        found.append((reference, key.fingerprint(reference, secret)))
        values.append((reference, key.value(secret)))
    fingerprinted = replace(desired, fingerprints=tuple(found), values=tuple(values))
    return fingerprinted, tuple(missing)
