"""The plan as Markdown, to be read as a comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.human.impact import access, new_credential_uses, settings_changes
from reconciler.render.human.plan import change_blocks, left_out, not_tested, steps, summary
from reconciler.render.human.routes import routes
from reconciler.render.terminal import Style, visible

if TYPE_CHECKING:
    from reconciler.render.plan import PlanOutcome

_WIDE = Style(colour=False, width=160)


def plan_markdown(outcome: PlanOutcome) -> str:
    """The summary first, then who sends as whom; the field changes fold away."""
    plan = outcome.plan
    failed = [f"> [!CAUTION]\n> {escape(outcome.error)}"] if outcome.error else []
    if plan is None:
        return "\n\n".join(["### Email connectors", *failed])
    parts = [
        "### Email connectors" + (f": {escape(plan.environment)}" if plan.environment else ""),
        f"**{summary(plan)}**",
        *failed,
    ]
    warnings = [
        f"> [!CAUTION]\n> {escape(item.message)}"
        + (f"  \n> To allow it: `{item.override}`" if item.override else "")
        for item in plan.violations
    ]
    warnings += [
        f"> [!WARNING]\n> {escape(outcome.actor)} may not change {item.address}: {escape(item.message)}"
        for item in outcome.denials
    ]
    parts += warnings
    parts += [escape(text) for text in (not_tested(plan), left_out(plan)) if text]
    parts += _fenced(settings_changes(plan.settings_changes, _WIDE))
    parts += _fenced(new_credential_uses(plan, _WIDE))
    if not plan.empty:
        for section in (routes, access):
            parts += _fenced(section(plan, _WIDE))
        body = "\n\n".join(_as_diff(block) for block in change_blocks(plan.changes, _WIDE))
        fence = _fence(body)
        parts.append(
            f"<details><summary>Changes, field by field</summary>\n\n{fence}diff\n{body}\n{fence}\n\n</details>"
        )
    parts += _fenced(steps(plan, _WIDE))
    return "\n\n".join(parts)


def _fenced(section: str) -> list[str]:
    if not section:
        return []
    title, _, body = section.partition("\n")
    fence = _fence(body)
    return [f"**{title.rstrip(':')}**", f"{fence}\n{body}\n{fence}"]


def _fence(body: str) -> str:
    fence = "```"
    while fence in body:
        fence += "`"
    return fence


def _as_diff(text: str) -> str:
    # GitHub colours a line of a diff by its first character.
    lines = []
    for line in text.splitlines():
        bare = line.lstrip()
        symbol = bare[:1]
        if symbol in {"+", "-"}:
            lines.append(symbol + line.replace(symbol, " ", 1))
        elif symbol == "~":
            lines.append("!" + line.replace(symbol, " ", 1))
        else:
            lines.append(f" {line}")
    return "\n".join(lines)


def escape(text: str) -> str:
    """Text in which no character means anything to Markdown."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|~" else char for char in visible(text))
