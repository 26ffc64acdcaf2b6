"""A plan with what the actor may not do, in each of its formats."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from reconciler.plan.document import (
    AuthorizationDocument,
    DenialDocument,
    PlanDocument,
    to_document,
)
from reconciler.plan.limits import Limit
from reconciler.render.formats import OutputFormat
from reconciler.render.human.impact import access_changes, credential_uses, settings_changes
from reconciler.render.human.plan import plan_text, show
from reconciler.render.human.routes import saved_routes
from reconciler.render.json import to_json
from reconciler.render.markdown import plan_markdown
from reconciler.render.terminal import table, visible
from reconciler.wording import BLOCKS, counted, listed, shortened

if TYPE_CHECKING:
    from reconciler.apply.authorise import Denial
    from reconciler.plan.document import PlanDocument, ResourceChange
    from reconciler.plan.planfile import PlanFile
    from reconciler.plan.planner import Plan
    from reconciler.render.formats import PlanFormat, TextOrJson
    from reconciler.render.terminal import Style


def document_for(plan: Plan, denials: tuple[Denial, ...], actor: str) -> PlanDocument:
    """The document of a plan, with what ``actor`` may not do of it."""
    denied = tuple(
        DenialDocument(address=str(item.address), message=item.message) for item in denials
    )
    judged = AuthorizationDocument(actor=actor, denied=denied)
    return replace(to_document(plan), authorization=judged)


def planned(
    plan: Plan,
    denials: tuple[Denial, ...],
    output_format: PlanFormat,
    style: Style,
    *,
    actor: str,
) -> str:
    """A plan, and what ``actor`` may not do of it."""
    match output_format:
        case OutputFormat.HUMAN:
            return _with_denials(plan, denials, style, actor=actor)
        case OutputFormat.MARKDOWN:
            return plan_markdown(plan, denials, actor)
        case OutputFormat.JSON:
            return to_json(document_for(plan, denials, actor))
        case _:
            assert_never(output_format)


def _with_denials(plan: Plan, denials: tuple[Denial, ...], style: Style, *, actor: str) -> str:
    text = plan_text(plan, style)
    if denials:
        lines = [style.strong(f"An apply by {visible(actor)} is refused:")]
        lines += [f"  {style.mark('!')} {item.address}: {item.message}" for item in denials]
        text += "\n\n" + "\n".join(lines)
    return text


_SYMBOLS = {"create": "+", "delete": "-", "update": "~", "rename": "~", "rotate_secret": "~"}


def plan_file_text(file: PlanFile, output_format: TextOrJson, style: Style) -> str:
    """The saved plan for people, or as the JSON that it is."""
    match output_format:
        case OutputFormat.HUMAN:
            return _saved(file, style)
        case OutputFormat.JSON:
            return to_json(file)
        case _:
            assert_never(output_format)


def _saved(file: PlanFile, style: Style) -> str:
    document = file.plan
    counts = document.summary
    shown, more = shortened(document.resource_changes, BLOCKS)
    saved_with = " ".join(file.allowed.options)
    parts = [
        f"A plan against serial {file.basis.serial}, made by release {file.basis.tool_version}."
        + (f"\nSaved with {saved_with}." if saved_with else "")
        + (f"\nEnvironment: {visible(document.environment)}" if document.environment else "")
        + _part(document),
        *(_change(change, style) for change in shown),
        f"  … {more} changes; `--format json` lists all of them." if more else "",
        saved_routes(document, style) if document.resource_changes else "",
        access_changes(document.access_changes if document.serial else (), style),
        credential_uses(document.new_credential_uses, style),
        settings_changes(document.settings_changes, style),
        _forgotten(document, style),
        _tests(document, style),
        _refusals(document, style, sealed=file.seal is not None),
        style.strong(
            f"Plan: {counts.add} to add, {counts.change} to change, {counts.destroy} to destroy."
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _part(document: PlanDocument) -> str:
    partial = document.partial
    if partial is None:
        return ""
    text = f"\nIt is partial: {visible(str(partial.scope.scope))}."
    if partial.left_out:
        text += f" It leaves out {visible(listed(partial.left_out))}."
    return text


def _forgotten(document: PlanDocument, style: Style) -> str:
    if not document.forgotten:
        return ""
    lines = [
        f"  {item.address} was forgotten in revision {item.serial} by {visible(item.by)}, {item.at}"
        for item in document.forgotten
    ]
    title = "Created again, because it is still in the configuration:"
    return "\n".join([style.strong(title), *lines])


def _tests(document: PlanDocument, style: Style) -> str:
    if not document.tests:
        return ""
    title = f"An apply will test {counted(len(document.tests), 'connector')} live:"
    shown, more = shortened(document.tests)
    rows = [(item.connector, item.reason) for item in shown]
    lines = [f"  {line}" for line in table(("", ""), rows, style.width - 2)[1:]]
    return "\n".join([style.strong(title), *lines, *([f"  {more}"] if more else [])])


def _refusals(document: PlanDocument, style: Style, *, sealed: bool) -> str:
    """The checks that fail, without those that a seal of this state's key approves."""
    broken = [
        check
        for check in document.checks
        if check.status == "fail" and not (sealed and check.name == Limit.CREDENTIAL)
    ]
    if not broken:
        return ""
    lines = [style.strong("An apply would be refused:")]
    for check in broken:
        lines.append(f"  {style.mark('!')} {check.message}")
        if check.override:
            lines.append(f"      to allow it: make a new plan with {check.override}")
    return "\n".join(lines)


def _change(item: ResourceChange, style: Style) -> str:
    symbol = _SYMBOLS[item.change.actions[0]]
    lines = [f"  {style.mark(symbol)} {item.address}: {', '.join(item.change.actions)}"]
    lines += [
        f"      {style.mark('~')} {field.path} = {show(field.before)} -> {show(field.after)}"
        for field in item.change.fields
    ]
    lines += [
        f"      {style.mark('~')} {reference} (rotated)"
        for reference in item.change.rotated_secrets
    ]
    return "\n".join(lines)
