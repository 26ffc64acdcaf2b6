"""The plan as a document for machines, in the shape of Terraform's JSON plans with additions.

``format_version`` stays the same when fields are added, and rises when something is removed or changes
its meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, assert_never

from msgspec import Struct

from reconciler.model.resource import JSON, Resource, spec_of
from reconciler.model.setting import SettingChange
from reconciler.plan.alike_document import GroupDocument, group_documents
from reconciler.plan.changes import (
    Action,
    Change,
    Create,
    Delete,
    FieldChange,
    Forget,
    Rename,
    RotateSecret,
    Update,
    actions_of,
)
from reconciler.plan.inputs import BaseCommit
from reconciler.plan.limits import Limit
from reconciler.plan.scope_document import PartialDocument
from reconciler.plan.value_source import ValueSource
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.plan.planner import Plan
    from reconciler.plan.retest import ToTest
    from reconciler.routing.table import EffectiveRoute


Specify: TypeAlias = Callable[[Resource], dict[str, JSON]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedField:
    """A field that differs, by dotted path; absent values are null.

    ``source`` is where the new value is written; null in the history, in a saved plan, and for a value that
    nobody wrote.
    """

    path: str
    before: JSON
    after: JSON
    source: ValueSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDocument:
    """The change of a resource. ``before`` and ``after`` are whole specifications, or null.

    ``source`` is where the resource is written; null in the history, in a saved plan, and for what is deleted.
    """

    actions: tuple[Action, ...]
    before: dict[str, JSON] | None
    after: dict[str, JSON] | None
    fields: tuple[ChangedField, ...] = ()
    previous_address: str | None = None
    rotated_secrets: tuple[str, ...] = ()
    source: ValueSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """One change, with the address of its resource."""

    address: str
    kind: str
    name: str
    change: ChangeDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDocument:
    """How mail from one sender goes out; ``via`` and ``as_address`` are null where it is refused."""

    sender: str
    via: str | None
    as_address: str | None
    reason: str
    users: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutesDocument:
    """The routes of all senders before and after, and the senders whose route changes."""

    before: tuple[RouteDocument, ...]
    after: tuple[RouteDocument, ...]
    rerouted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDocument:
    """Who gains or loses a right on ``subject`` (a connector; empty for a role).

    ``widened`` and ``narrowed`` cover people who cannot be named, too, such as any internal user.
    """

    right: str
    subject: str
    before: str
    after: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    widened: bool
    narrowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialUseDocument:
    """A secret that would go somewhere new.

    ``before`` lists some of the places where it was applied, and ``others`` counts the rest.
    ``same_as`` are other references that are known to hold the same secret.
    """

    connector: str
    protocol: str
    reference: str
    before: tuple[str, ...]
    after: str
    others: int = 0
    same_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDocument:
    """A limit, and whether the plan stays within it. ``override`` is the option to exceed it."""

    name: str
    status: Literal["pass", "fail"]
    message: str = ""
    override: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDocument:
    """A connector that the apply would test first, and why."""

    __test__ = False  # not a test case, despite its name

    connector: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryDocument:
    """The counts of the summary line."""

    add: int
    change: int
    destroy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DenialDocument:
    """A change that the actor may not make, and who may."""

    address: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationDocument:
    """The actor whose stored rights the plan was judged by; with any denial, their apply is refused."""

    actor: str
    denied: tuple[DenialDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenDocument:
    """A resource that will be created again after ``state forget`` removed it.

    ``at`` is ISO 8601 in UTC.
    """

    address: str
    serial: int
    at: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDocument:
    """The whole plan.

    It holds references to secrets and never a secret.

    ``base`` is the commit that the configuration was compared with, or null: then it was the stored state.
    With a base, ``lineage`` is empty and ``serial`` is 0.

    ``authorization`` is null where no actor was given, as in a saved plan, which anybody with the
    rights may apply. ``not_ready`` are untouched connectors that are not known to work. ``partial``
    is null for a plan of everything.
    """

    format_version: Literal["1.0"] = "1.0"
    lineage: str
    serial: int
    resource_changes: tuple[ResourceChange, ...]
    summary: SummaryDocument
    routes: RoutesDocument
    access_changes: tuple[AccessDocument, ...]
    new_credential_uses: tuple[CredentialUseDocument, ...]
    tests: tuple[TestDocument, ...]
    checks: tuple[CheckDocument, ...]
    forgotten: tuple[ForgottenDocument, ...] = ()
    not_ready: tuple[TestDocument, ...] = ()
    partial: PartialDocument | None = None
    environment: str = ""
    groups: tuple[GroupDocument, ...] = ()
    settings_changes: tuple[SettingChange, ...] = ()
    authorization: AuthorizationDocument | None = None
    base: BaseCommit | None = None


def to_document(plan: Plan) -> PlanDocument:
    """Convert a plan to its published form, without the places where values are written.

    The same plan may be made in another folder, so they are not saved, compared or approved.
    """
    return replace(ungrouped_document(plan, _AS_VALUES), groups=group_documents(plan.changes))


class Form(Struct, frozen=True):
    """How a document holds what it has thousands of."""

    specification: Specify
    routes: Callable[[tuple[EffectiveRoute, ...]], tuple[RouteDocument, ...]]
    tests: Callable[[tuple[ToTest, ...]], tuple[TestDocument, ...]]


def ungrouped_document(plan: Plan, form: Form) -> PlanDocument:
    """Convert a plan to its published form, without the groups of similar changes."""
    return PlanDocument(
        lineage=plan.lineage,
        serial=0 if plan.base else plan.serial,
        resource_changes=tuple(
            resource_change(change, form.specification) for change in plan.changes
        ),
        summary=SummaryDocument(
            add=plan.counts.added, change=plan.counts.changed, destroy=plan.counts.destroyed
        ),
        routes=routes_document(plan, form),
        access_changes=tuple(
            AccessDocument(
                right=item.right,
                subject=item.subject,
                before=item.before,
                after=item.after,
                gained=item.gained,
                lost=item.lost,
                widened=item.widened,
                narrowed=item.narrowed,
            )
            for item in plan.impact.access
        ),
        new_credential_uses=tuple(
            CredentialUseDocument(
                connector=item.connector,
                protocol=item.protocol,
                reference=str(item.reference),
                before=tuple(str(destination) for destination in item.before),
                after=str(item.after),
                others=item.others,
                same_as=tuple(str(reference) for reference in item.same_as),
            )
            for item in plan.new_credentials
        ),
        tests=form.tests(plan.to_test),
        checks=_checks(plan),
        forgotten=tuple(
            ForgottenDocument(
                address=str(item.address),
                serial=item.serial,
                at=item.at.isoformat(timespec="seconds"),
                by=item.by,
            )
            for item in plan.forgotten
        ),
        not_ready=form.tests(plan.not_ready),
        partial=PartialDocument.of(plan.partial) if plan.partial else None,
        environment=plan.environment,
        settings_changes=plan.settings_changes,
        base=plan.base,
    )


def routes_document(plan: Plan, form: Form | None = None) -> RoutesDocument:
    """Who sends as whom, in the published form."""
    form = form or _AS_VALUES
    before = form.routes(plan.routes_before)
    same = plan.routes_after is plan.routes_before
    return RoutesDocument(
        before=before,
        after=before if same else form.routes(plan.routes_after),
        rerouted=tuple(item.after.sender for item in plan.impact.rerouted),
    )


def _route_documents(rows: tuple[EffectiveRoute, ...]) -> tuple[RouteDocument, ...]:
    return tuple(map(_route, rows))


def _test_documents(tests: tuple[ToTest, ...]) -> tuple[TestDocument, ...]:
    return tuple(TestDocument(connector=item.connector, reason=item.reason) for item in tests)


_AS_VALUES: Final = Form(spec_of, _route_documents, _test_documents)


def resource_change(change: Change, spec: Specify = spec_of) -> ResourceChange:
    """Convert one change to its published form."""
    actions = actions_of(change)
    match change:
        case Create(after):
            body = ChangeDocument(actions=actions, before=None, after=spec(after))
        case Update(before, after, fields):
            body = ChangeDocument(
                actions=actions,
                before=spec(before),
                after=spec(after),
                fields=_fields(fields),
            )
        case Rename(before, after, fields):
            body = ChangeDocument(
                actions=actions,
                before=spec(before),
                after=spec(after),
                fields=_fields(fields),
                previous_address=str(before.address),
            )
        case Delete(before):
            body = ChangeDocument(actions=actions, before=spec(before), after=None)
        case Forget(before):
            body = ChangeDocument(actions=actions, before=spec(before), after=None)
        case RotateSecret(references=references):
            body = ChangeDocument(
                actions=actions,
                before=None,
                after=None,
                rotated_secrets=tuple(str(reference) for reference in references),
            )
        case _:
            assert_never(change)
    return ResourceChange(
        address=str(change.address),
        kind=change.address.kind,
        name=change.address.name,
        change=body,
    )


def _fields(changes: tuple[FieldChange, ...]) -> tuple[ChangedField, ...]:
    return tuple(
        ChangedField(path=item.path, before=item.before, after=item.after) for item in changes
    )


def _route(row: EffectiveRoute) -> RouteDocument:
    return RouteDocument(
        sender=row.sender,
        via=row.via,
        as_address=row.as_address,
        reason=row.reason,
        users=row.audience.label,
    )


def _checks(plan: Plan) -> tuple[CheckDocument, ...]:
    broken = {item.limit for item in plan.violations}
    failed = [
        CheckDocument(name=item.limit, status="fail", message=item.message, override=item.override)
        for item in plan.violations
    ]
    passed = [CheckDocument(name=limit, status="pass") for limit in Limit if limit not in broken]
    return (*failed, *passed)
