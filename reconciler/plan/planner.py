"""The plan, and the function that makes one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.connector import Connector
from reconciler.model.setting import SettingChange, setting_changes
from reconciler.model.snapshot import Forgotten
from reconciler.plan.changes import Change, ChangeCounts, Create, RotateSecret, Update, ordered
from reconciler.plan.credentials import NewCredentialUse, new_uses
from reconciler.plan.diff import connector_renames, differences
from reconciler.plan.impact import Impact, access_changes, reroutes
from reconciler.plan.inputs import NO_OVERRIDES, BaseCommit, Desired, Limits, Overrides
from reconciler.plan.limits import LimitViolation, violations
from reconciler.plan.origin import is_about_origin
from reconciler.plan.retest import ToTest, not_ready, to_test
from reconciler.plan.scope import PartialPlan
from reconciler.routing.audience import Audiences
from reconciler.routing.table import EffectiveRoute, RoutingTable

if TYPE_CHECKING:
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.snapshot import StoredState
    from reconciler.plan.credentials import Identify
    from reconciler.plan.value_source import ResourceSources  # noqa: TC004 - nobody reads this annotation


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do, whom it would affect, and which limits it exceeds.

    ``lineage`` and ``serial`` identify the stored state that it was made against. ``forgotten`` are
    the resources to create that ``state forget`` had removed. ``not_ready`` are untouched
    connectors that are not known to work: an apply does not test them. ``partial`` is None for a
    plan of everything. ``environment`` is the one from ``reconciler.yaml``, if any.
    ``settings_changes`` are the settings in force that differ from those of the last apply. ``base`` is the
    commit that the configuration was compared with, if it was not the stored state; such a plan cannot be applied.
    ``sources`` are the places where new values are written.
    """

    lineage: str
    serial: int
    changes: tuple[Change, ...]
    before: RoutingTable
    after: RoutingTable
    impact: Impact
    new_credentials: tuple[NewCredentialUse, ...]
    violations: tuple[LimitViolation, ...]
    to_test: tuple[ToTest, ...]
    forgotten: tuple[Forgotten, ...] = ()
    not_ready: tuple[ToTest, ...] = ()
    partial: PartialPlan | None = None
    environment: str = ""
    settings_changes: tuple[SettingChange, ...] = ()
    base: BaseCommit | None = None
    sources: ResourceSources = field(default_factory=dict, repr=False, compare=False)

    @property
    def routes_before(self) -> tuple[EffectiveRoute, ...]:
        """The routes of all senders as they are."""
        return self.before.rows

    @property
    def routes_after(self) -> tuple[EffectiveRoute, ...]:
        """The routes of all senders after an apply."""
        return self.after.rows

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.changes

    @property
    def counts(self) -> ChangeCounts:
        """How many resources it adds, changes and destroys."""
        return ChangeCounts.of(self.changes)


DEFAULT_LIMITS = Limits()


def plan(
    desired: Desired,
    current: StoredState,
    limits: Limits = DEFAULT_LIMITS,
    overrides: Overrides = NO_OVERRIDES,
    *,
    earlier: Plan | None = None,
) -> Plan:
    """Make the plan that leads from ``current`` to ``desired``.

    A pure function of its arguments. ``earlier`` is a plan that was made of the same resources without
    fingerprints, and saves work: rotated secrets change neither routes nor rights.
    """
    changes = ordered(differences(desired, current))
    configured = desired.snapshot
    stored = current.snapshot if changes else configured
    audiences = Audiences(stored.directory)
    before = RoutingTable(stored, audiences)
    after, impact = before, Impact()
    if earlier is not None and earlier.changes:
        before, after, impact = earlier.before, earlier.after, earlier.impact
    elif changes:  # without changes, both sides have the same resources
        later = audiences.later(configured.directory)
        alike = later is audiences and all(map(_keeps_routes, changes))
        after = before.later(configured) if alike else RoutingTable(configured, later)
        renames = connector_renames(changes)
        access = access_changes(stored, configured, renames, (audiences, later))
        impact = Impact(access, reroutes(before.rows, after.rows))
    identify = identities(desired)
    new_credentials = (
        new_uses(
            current,
            configured,
            identify,
            desired.values,
            desired.providers,
            changed=frozenset(change.address for change in changes),
        )
        if limits.credentials is not None
        else ()
    )
    tested = _compared(desired, to_test(changes, configured, current))
    return Plan(
        lineage=current.lineage,
        serial=current.serial,
        changes=changes,
        before=before,
        after=after,
        impact=impact,
        new_credentials=new_credentials,
        violations=violations(
            changes,
            desired,
            current,
            new_credentials=new_credentials,
            identify=identify,
            limits=limits,
            overrides=overrides,
        ),
        to_test=tested,
        forgotten=_forgotten(changes, current),
        not_ready=_compared(desired, not_ready(changes, configured, current, tested)),
        settings_changes=tuple(
            item
            for item in setting_changes(current.settings, desired.settings)
            if not is_about_origin(item.name)
        ),
    )


def identities(desired: Desired) -> Identify:
    """Give every reference one name: ``file:`` references are named by their target."""
    paths = dict(desired.real_paths)
    if not paths:
        return str

    def identify(reference: SecretRef) -> str:
        path = paths.get(reference)
        return f"file:{path}" if path is not None else str(reference)

    return identify


def _keeps_routes(change: Change) -> bool:
    """Whether a change touches nothing that routing depends on, in the same directory."""
    match change:
        case Update(Connector() as before, Connector() as after):
            return before.routed == after.routed
        case RotateSecret():
            return True
        case _:
            return False


def _compared(desired: Desired, tests: tuple[ToTest, ...]) -> tuple[ToTest, ...]:
    return tuple(item for item in tests if desired.compares(item.connector))


def _forgotten(changes: tuple[Change, ...], current: StoredState) -> tuple[Forgotten, ...]:
    created = {change.address for change in changes if isinstance(change, Create)}
    return tuple(item for item in current.forgotten if item.address in created)


class TestConnectors(Struct, frozen=True):
    """Test these connectors live; if one fails, nothing after this happens."""

    __test__ = False  # not a test case, despite its name

    connectors: tuple[ToTest, ...]


class WriteRevision(Struct, frozen=True):
    """Write these changes as one revision, in one transaction."""

    serial: int
    changes: tuple[Change, ...]


class ProveEmpty(Struct, frozen=True):
    """Plan once more and verify that nothing is left to change."""


PlanStage = TestConnectors | WriteRevision | ProveEmpty
"""One step of an apply; match it with ``assert_never``."""


def stages(plan: Plan, *, skip_tests: bool = False) -> tuple[PlanStage, ...]:
    """The steps of applying ``plan``, in order; none if there is nothing to do, or nothing to apply it to."""
    if plan.base is not None:
        return ()
    found: list[PlanStage] = []
    if plan.to_test and not skip_tests:
        found.append(TestConnectors(plan.to_test))
    if not plan.empty:
        found += [WriteRevision(plan.serial + 1, plan.changes), ProveEmpty()]
    return tuple(found)
