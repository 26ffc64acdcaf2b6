"""The plan as text: what changes, who then sends as whom, and which limits it exceeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from reconciler.plan.changes import ChangeCounts
from reconciler.plan.planner import ProveEmpty, TestConnectors, WriteRevision, stages
from reconciler.render.human.impact import access, new_credential_uses, refusals, settings_changes
from reconciler.render.terminal import pad, visible, width_of
from reconciler.wording import TO_ACT_ON, counted, listed, shortened

if TYPE_CHECKING:
    from reconciler.plan.planner import Plan
    from reconciler.render.terminal import Style

NO_CHANGES = "No changes. The stored state matches the configuration."
NO_CHANGES_BUT_SETTINGS = (
    "No changes of resources, but other settings are in force than at the last apply."
)


def plan_text(plan: Plan, style: Style, *, skip_tests: bool = False) -> str:
    """The whole plan."""
    sections = [compared_with(plan)]
    sections += [f"Environment: {visible(plan.environment)}"] if plan.environment else []
    if not plan.empty:
        from reconciler.render.human.changes import change_blocks  # noqa: PLC0415 - only where there are some
        from reconciler.render.human.routes import routes  # noqa: PLC0415 - as above

        body = "\n\n".join(change_blocks(plan.changes, style, sources=plan.sources))
        sections.append(f"reconciler will perform the following actions:\n\n{body}")
        sections.append(routes(plan, style))
        sections.append(access(plan, style))
        sections.append(forgotten(plan, style))
    sections.append(new_credential_uses(plan, style))
    since = plan.base.ref if plan.base else ""
    sections.append(settings_changes(plan.settings_changes, style, since=since))
    sections.append(steps(plan, style, skip_tests=skip_tests))
    sections.append(refusals(plan, style))
    sections.append(not_tested(plan))
    sections.append(left_out(plan))
    sections.append(style.strong(summary(plan)))
    return "\n\n".join(section for section in sections if section)


def compared_with(plan: Plan) -> str:
    """The commit that the configuration was compared with, if it was not the stored state."""
    if plan.base is None:
        return ""
    return (
        f"Compared with {visible(plan.base.ref)} (commit {plan.base.commit[:12]}), not with what is applied:"
        " no state was read."
    )


def forgotten(plan: Plan, style: Style) -> str:
    """Forgotten resources that are created again because they are still in the configuration."""
    if not plan.forgotten:
        return ""
    shown, more = shortened(plan.forgotten)
    lines = [
        f"  {item.address} was forgotten in revision {item.serial} by {visible(item.by)}, "
        f"{item.at:%Y-%m-%d %H:%M} UTC"
        for item in shown
    ]
    lines += [f"  {more}"] if more else []
    return "\n".join(
        [style.strong("Created again, because it is still in the configuration:"), *lines]
    )


def not_tested(plan: Plan) -> str:
    """The connectors that are not known to work; they do not block the plan."""
    if not plan.not_ready:
        return ""
    names = listed([f"{item.connector} ({item.reason})" for item in plan.not_ready])
    return (
        f"Not tested by an apply, which does not change them: {names}."
        " `reconciler test --changed` tests them."
    )


def left_out(plan: Plan) -> str:
    """The scope of a partial plan, its dependencies, and what it leaves out."""
    partial = plan.partial
    if partial is None:
        return ""
    sentences = [f"This plan is partial: {visible(str(partial.scope))}."]
    if partial.dependencies:
        sentences.append(f"What it is about depends on {listed(partial.dependencies, TO_ACT_ON)}.")
    count = len(partial.left_out)
    what = "resources that would change too" if count > 1 else "resource that would change too"
    sentences.append(
        f"It leaves out {count} {what}: {listed(partial.left_out, TO_ACT_ON)}."
        if count
        else "It leaves out nothing that would change."
    )
    return " ".join(sentences)


def summary(plan: Plan) -> str:
    """The summary line."""
    if plan.empty and plan.partial is not None:
        return f"No changes within {visible(str(plan.partial.scope))}."
    if plan.empty and plan.base is not None and not plan.settings_changes:
        return f"No changes. The configuration means the same as that of {visible(plan.base.ref)}."
    if plan.empty and plan.base is not None:
        return f"No changes of resources, but other settings than in {visible(plan.base.ref)}."
    if plan.empty:
        return NO_CHANGES if not plan.settings_changes else NO_CHANGES_BUT_SETTINGS
    return counts_line(plan.counts)


def counts_line(counts: ChangeCounts) -> str:
    """The summary line of what an apply would change, settings aside."""
    if counts == ChangeCounts():
        return NO_CHANGES
    return (
        f"Plan: {counts.added} to add, {counts.changed} to change, {counts.destroyed} to destroy."
    )


def steps(plan: Plan, style: Style, *, skip_tests: bool = False) -> str:
    """What an apply would do, step by step."""
    lines = []
    for stage in stages(plan, skip_tests=skip_tests):
        match stage:
            case TestConnectors(connectors):
                lines.append(f"Test {counted(len(connectors), 'connector')} live:")
                width = max(width_of(item.connector) for item in connectors)
                shown, more = shortened(connectors)
                lines += [
                    f"   {pad(item.connector, width)}  {style.faint(item.reason)}" for item in shown
                ]
                lines += [f"   {more}"] if more else []
            case WriteRevision(serial, changes):
                lines.append(
                    f"Write {counted(len(changes), 'change')} as revision {serial}, all or nothing."
                )
            case ProveEmpty():
                lines.append("Plan again, and expect no changes.")
            case _:
                assert_never(stage)
    if not lines:
        return ""
    numbered, number = [], 0
    for line in lines:
        if line.startswith(" "):
            numbered.append(f"   {line}")
        else:
            number += 1
            numbered.append(f"  {number}. {line}")
    return "\n".join([style.strong("An apply will:"), *numbered])
