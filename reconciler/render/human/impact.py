"""The blast radius as text, and the limits that block the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.credential_use import GATEWAY
from reconciler.model.domain import with_a_label, with_a_labels
from reconciler.plan.impact import Right
from reconciler.plan.limits import overriding_options
from reconciler.render.terminal import visible
from reconciler.wording import BLOCKS, NAMED, TO_ACT_ON, listed, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.model.setting import SettingChange
    from reconciler.plan.alike_uses import AlikeUses
    from reconciler.plan.credentials import NewCredentialUse
    from reconciler.plan.document import (
        AccessDocument,
        CredentialUseDocument,
    )
    from reconciler.plan.impact import AccessChange
    from reconciler.plan.limits import Limit, LimitViolation
    from reconciler.plan.planner import Plan
    from reconciler.render.terminal import Style

_RIGHTS: dict[str, str] = {
    Right.INTERNAL: "count as an internal user",
    Right.USE: "send through {subject}",
    Right.ADMINISTER: "administer {subject}",
    Right.ADMINISTRATOR: "act as Administrator",
    Right.MANAGE_DATA_SOURCES: "manage data sources",
}


_ALL = "`--format json` lists all of them."


def access(plan: Plan, style: Style) -> str:
    """Who gains or loses what."""
    return access_changes(plan.impact.access if plan.serial else (), style)


def access_changes(items: Sequence[AccessChange | AccessDocument], style: Style) -> str:
    """The same for any plan, saved or not; connectors with the same changes are grouped."""
    if not items:
        return ""
    lines = [style.strong("Rights that would change:")]
    groups: dict[tuple[object, ...], list[AccessChange | AccessDocument]] = {}
    for item in items:
        shape = (item.right, item.before, item.after, item.gained, item.lost, item.widened)
        groups.setdefault((*shape, item.narrowed), []).append(item)
    shown, more = shortened(tuple(groups.values()), BLOCKS)
    for group in shown:
        lines += _access(group[0], _subject([item.subject for item in group]), style)
    if more:
        lines.append(f"  {more}. {_ALL}")
    return "\n".join(lines)


def _subject(names: Sequence[str]) -> str:
    """The connector of a right, or all that have the same change."""
    if len(names) == 1:
        return names[0]
    return f"{len(names)} connectors ({listed(names, TO_ACT_ON)})"


def _people(names: Sequence[str]) -> str:
    return listed([visible(with_a_label(name)) for name in names], TO_ACT_ON)


def _access(item: AccessChange | AccessDocument, subject: str, style: Style) -> list[str]:
    right = _RIGHTS[item.right].format(subject=subject)
    lines = []
    if item.gained:
        lines.append(f"  {style.mark('+')} may {right}: {_people(item.gained)}")
    if item.lost:
        lines.append(f"  {style.mark('-')} may no longer {right}: {_people(item.lost)}")
    # Unnamed people, such as any internal user, appear in the terms of the configuration.
    unnamed = (item.widened and not item.gained, item.narrowed and not item.lost)
    if any(unnamed):
        symbol = "~" if all(unnamed) else "+" if unnamed[0] else "-"
        lines.append(
            f"  {style.mark(symbol)} may {right}: {visible(with_a_labels(item.before))} -> {visible(with_a_labels(item.after))}"
        )
    return lines


def new_credential_uses(plan: Plan, style: Style) -> str:
    """Secrets that would be sent somewhere new, those that wait for approval first."""
    if not plan.new_credentials:
        return ""
    from reconciler.plan.alike_uses import pending_uses  # noqa: PLC0415 - only where there are some

    return credential_uses(
        plan.new_credentials,
        style,
        first=frozenset(pending_uses(plan.violations)),
        applied=plan.base is None,
    )


def credential_uses(
    items: Sequence[NewCredentialUse | CredentialUseDocument],
    style: Style,
    *,
    first: frozenset[NewCredentialUse] = frozenset(),
    applied: bool = True,
) -> str:
    """The same for any plan, saved or not; those in ``first`` come first."""
    if not items:
        return ""
    from reconciler.plan.alike_uses import grouped_uses  # noqa: PLC0415 - only where there are some

    lines = [style.strong("Secrets that would go somewhere new:")]
    groups = grouped_uses(items, first)
    for item in groups[:BLOCKS]:
        lines.append(f"  {style.mark('!')} {visible(item.reference)}, by {_holder(item)}")
        lines += [f"      the same as   {visible(reference)}" for reference in item.same_as]
        before = "applied at   " if applied else "configured at"
        lines += [f"      {before} {visible(destination)}" for destination in item.before]
        if item.others:
            lines.append(f"      and to        {item.others} more")
        verb = "would open   " if item.protocol == GATEWAY else "would go to  "
        lines.append(f"      {verb} {visible(item.after)}")
    rest = sum(len(item.names) for item in groups[BLOCKS:])
    if rest:
        lines.append(f"  {style.mark('!')} and {rest} more. {_ALL}")
    return "\n".join(lines)


def same_secrets(item: AlikeUses, shown: Callable[[str], str] = str) -> list[str]:
    """A reference in a cell, with others for the same secret."""
    return [shown(item.reference), *(f"the same secret as {shown(text)}" for text in item.same_as)]


def places_before(item: AlikeUses, shown: Callable[[str], str] = str) -> list[str]:
    """The earlier destinations of a secret in a cell, and how many more there are."""
    places = [shown(place) for place in item.before]
    places += [f"{item.others} more"] if item.others else []
    return places or ["nowhere yet"]


def _holder(item: AlikeUses) -> str:
    application = item.protocol == GATEWAY
    if len(item.names) == 1:
        (name,) = item.names
        return f"application {name}" if application else f"{name} ({item.protocol})"
    names = listed(item.names, TO_ACT_ON)
    if application:
        return f"{len(item.names)} applications: {names}"
    return f"{len(item.names)} connectors ({item.protocol}): {names}"


def settings_changes(items: Sequence[SettingChange], style: Style, *, since: str = "") -> str:
    """Settings in force that differ from those ``since`` the last apply, or a commit, and who set them."""
    if not items:
        return ""
    lines = [style.strong(f"Settings that differ from {visible(since) or 'the last apply'}:")]
    for item in items:
        before = (
            f"{visible(item.before)} ({visible(item.before_source)})" if item.before else "not set"
        )
        after = f"{visible(item.after)} ({visible(item.after_source)})" if item.after else "not set"
        lines.append(f"  {style.mark('~')} {visible(item.name)}: {before} -> {after}")
    return "\n".join(lines)


def refusals(plan: Plan, style: Style) -> str:
    """The limits that the plan exceeds, with the options that allow it."""
    if not plan.violations:
        return ""
    condition = f"If {visible(plan.base.ref)} is what is applied, an" if plan.base else "An"
    lines = [style.strong(f"{condition} apply would be refused:")]
    for items in by_limit(plan.violations):
        shown, more = shortened([visible(item.message) for item in items], NAMED)
        messages = [*shown, *([more] if more else [])]
        lines += [f"  {style.mark('!')} {message}" for message in messages]
        lines += _to_allow(items)
    return "\n".join(lines)


def by_limit(violations: Sequence[LimitViolation]) -> list[list[LimitViolation]]:
    """The violations individually, but many of one limit together."""
    limits: dict[Limit, list[LimitViolation]] = {}
    for item in violations:
        limits.setdefault(item.limit, []).append(item)
    return [
        part
        for items in limits.values()
        for part in ([items] if len(items) > NAMED else [[item] for item in items])
    ]


def _to_allow(items: Sequence[LimitViolation]) -> list[str]:
    """How to allow a plan that was refused for this reason, or several of the same kind."""
    from reconciler.plan.alike_uses import can_be_shown, pending_uses  # noqa: PLC0415 - only where a plan is refused

    options = overriding_options(items)
    item = items[0]
    if not options:
        return []
    if not item.needs_only_a_person:
        ways = f"pass {options}"
    elif not item.needs_only_a_saved_plan:
        ways = f"answer yes at a terminal, or pass {options}"
    elif can_be_shown(pending_uses(items)):
        ways = f"answer yes at a terminal, apply a sealed plan, or pass {options}"
    else:
        ways = f"apply a sealed plan, or pass {options}"
    return [f"      to allow {'it' if len(items) == 1 else 'them'}: {ways}"]
