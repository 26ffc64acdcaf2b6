"""The blast radius as text, and the limits that refuse the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.credential_use import GATEWAY
from reconciler.model.domain import with_a_label, with_a_labels
from reconciler.plan.impact import Right
from reconciler.render.terminal import visible
from reconciler.wording import BLOCKS, TO_ACT_ON, listed, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.setting import SettingChange
    from reconciler.plan.credentials import NewCredentialUse
    from reconciler.plan.document import (
        AccessDocument,
        CredentialUseDocument,
    )
    from reconciler.plan.impact import AccessChange
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
    """The same of what a plan says, be it saved or not."""
    if not items:
        return ""
    lines = [style.strong("Rights that would change:")]
    shown, more = shortened(items, BLOCKS)
    for item in shown:
        lines += _access(item, style)
    if more:
        lines.append(f"  {more}. {_ALL}")
    return "\n".join(lines)


def _people(names: Sequence[str]) -> str:
    return listed([visible(with_a_label(name)) for name in names], TO_ACT_ON)


def _access(item: AccessChange | AccessDocument, style: Style) -> list[str]:
    right = _RIGHTS[item.right].format(subject=item.subject)
    lines = []
    if item.gained:
        lines.append(f"  {style.mark('+')} may {right}: {_people(item.gained)}")
    if item.lost:
        lines.append(f"  {style.mark('-')} may no longer {right}: {_people(item.lost)}")
    # People who cannot be named, such as any internal user, appear in the words of the configuration.
    unnamed = (item.widened and not item.gained, item.narrowed and not item.lost)
    if any(unnamed):
        symbol = "~" if all(unnamed) else "+" if unnamed[0] else "-"
        lines.append(
            f"  {style.mark(symbol)} may {right}: {visible(with_a_labels(item.before))} -> {visible(with_a_labels(item.after))}"
        )
    return lines


def new_credential_uses(plan: Plan, style: Style) -> str:
    """Secrets that would be sent somewhere new."""
    return credential_uses(plan.new_credentials, style, applied=plan.base is None)


def credential_uses(
    items: Sequence[NewCredentialUse | CredentialUseDocument],
    style: Style,
    *,
    applied: bool = True,
) -> str:
    """The same of what a plan says, be it saved or not."""
    if not items:
        return ""
    lines = [style.strong("Secrets that would go somewhere new:")]
    shown, more = shortened(items, BLOCKS)
    for item in shown:
        holder = (
            f"application {item.connector}"
            if item.protocol == GATEWAY
            else f"{item.connector} ({item.protocol})"
        )
        lines.append(f"  {style.mark('!')} {visible(str(item.reference))}, by {holder}")
        lines += [f"      the same as   {visible(str(reference))}" for reference in item.same_as]
        before = "applied at   " if applied else "configured at"
        lines += [f"      {before} {visible(str(destination))}" for destination in item.before]
        if item.others:
            lines.append(f"      and to        {item.others} more")
        verb = "would open   " if item.protocol == GATEWAY else "would go to  "
        lines.append(f"      {verb} {visible(str(item.after))}")
    if more:
        lines.append(f"  {style.mark('!')} {more}. {_ALL}")
    return "\n".join(lines)


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
    """The limits that the plan breaks, with the options that allow it."""
    if not plan.violations:
        return ""
    condition = f"If {visible(plan.base.ref)} is what is applied, an" if plan.base else "An"
    lines = [style.strong(f"{condition} apply would be refused:")]
    for item in plan.violations:
        lines.append(f"  {style.mark('!')} {visible(item.message)}")
        if item.needs_only_a_saved_plan:
            lines.append(
                "      to allow it: answer yes at a terminal, apply a sealed plan, or pass"
                f" {item.override}"
            )
        elif item.needs_only_a_person:
            lines.append(f"      to allow it: answer yes at a terminal, or pass {item.override}")
        elif item.override:
            lines.append(f"      to allow it: pass {item.override}")
    return "\n".join(lines)
