"""The plan as a comment on a pull request: the verdict first, whole sections, and never too long to post."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.model.credential_use import GATEWAY
from reconciler.model.domain import with_a_label, with_a_labels
from reconciler.plan.alike_uses import grouped_uses, pending_uses
from reconciler.plan.limits import overriding_options
from reconciler.render.change_sections import change_sections
from reconciler.render.human.impact import access, by_limit, places_before, same_secrets
from reconciler.render.human.plan import (
    compared_with,
    forgotten,
    left_out,
    not_tested,
    steps,
    summary,
)
from reconciler.render.human.routes import fold, in_words, sender_lines, why
from reconciler.render.human.tests import summary as tests_summary
from reconciler.render.markdown import as_diff, code, escape, fenced, folded, markdown_table
from reconciler.render.marker import marker
from reconciler.render.mermaid import mermaid
from reconciler.render.terminal import Style
from reconciler.render.test import results_table
from reconciler.render.validation import problem_table
from reconciler.routing.table import ANY_OTHER
from reconciler.wording import BLOCKS, LINES, NAMED, TO_ACT_ON, counted, listed, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.plan.planner import Plan
    from reconciler.render.human.routes import SenderLine
    from reconciler.render.plan import PlanOutcome

MOST_BYTES: Final = 65_536
"""The maximum length of a comment on GitHub.

UTF-8 has at least a byte for every UTF-16 unit, so bytes are safe.
"""

_FOR_THE_NOTICE: Final = 2_000
"""Bytes kept free for the sentence that says what was cut."""

_LONGEST_TEXT: Final = 4_000
"""The maximum length of an error; the rest is in the other reports."""

_LONGEST_NAME: Final = 100
_WIDE: Final = Style(colour=False, width=160)
_MARKS: Final = {"+": "new", "~": "changed", "-": "gone", " ": ""}


class CommentSection(Struct, frozen=True):
    """A part of the comment that is shown whole or not at all.

    ``name`` says what was cut. If not all sections fit, those with a lower ``rank`` stay.
    """

    name: str
    text: str
    rank: int


def plan_comment(outcome: PlanOutcome, *, command: str = "plan", ending: str = "") -> str:
    """The outcome of planning, for reviewers; ``ending`` is the verdict of an apply, a sentence."""
    head = [marker(command, outcome.project, _environment(outcome)), _title(outcome)]
    verdict = [f"**{text}**" for text in (ending or _verdict(outcome),) if text]
    verdict += [_counts(outcome.plan)] if outcome.plan is not None else []
    if verdict:
        head.append(" ".join(verdict))
    if outcome.error:
        head.append(f"> [!CAUTION]\n> {escape(_cut(' '.join(outcome.error.split())))}")
    sections = [CommentSection("the problems of the configuration", _problems(outcome), 1)]
    sections += [] if outcome.plan is None else _sections(outcome, outcome.plan)
    return _within_the_limit("\n\n".join(head), sections)


def _cut(text: str, most: int = _LONGEST_TEXT) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _environment(outcome: PlanOutcome) -> str:
    return outcome.plan.environment if outcome.plan is not None else outcome.environment


def _title(outcome: PlanOutcome) -> str:
    environment = _environment(outcome)
    base = outcome.plan.base if outcome.plan is not None else None
    return (
        "### Email connectors"
        + (f": {escape(_cut(environment, _LONGEST_NAME))}" if environment else "")
        + (f", compared with {code(_cut(base.ref, _LONGEST_NAME))}" if base else "")
    )


def _verdict(outcome: PlanOutcome) -> str:
    plan = outcome.plan
    failed = sum(not item.passed for item in outcome.results)
    if outcome.error:
        return "This run ended early."
    if failed:
        return f"{counted(failed, 'live test')} failed."
    if plan is not None and plan.violations:
        refused = f"apply would be refused, for {counted(len(plan.violations), 'reason')}."
        return f"If that is what is applied, an {refused}" if plan.base else f"An {refused}"
    if outcome.denials:
        return f"An apply by {escape(_cut(outcome.actor, _LONGEST_NAME))} would be refused."
    return "Nothing would stop an apply." if plan and not plan.empty and not plan.base else ""


def _counts(plan: Plan) -> str:
    rerouted = len(plan.impact.rerouted) if plan.serial else 0
    rights = len(plan.impact.access) if plan.serial else 0
    others = [
        f"{number} {one if number == 1 else many}"
        for number, one, many in (
            (rerouted, "sender rerouted", "senders rerouted"),
            (
                len(plan.new_credentials),
                "use of a secret somewhere new",
                "uses of secrets somewhere new",
            ),
            (rights, "right changes", "rights change"),
            (len(plan.settings_changes), "setting differs", "settings differ"),
        )
        if number
    ]
    return escape(summary(plan)) + (f" {', '.join(others)}." if others else "")


def _problems(outcome: PlanOutcome) -> str:
    if not outcome.diagnostics:
        return ""
    found = problem_table(outcome.diagnostics, outcome.root)
    if outcome.plan is not None:
        return folded(counted(len(outcome.diagnostics), "warning"), found)
    return f"#### Problems of the configuration\n\n{found}"


def _sections(outcome: PlanOutcome, plan: Plan) -> Iterator[CommentSection]:
    """The sections in reading order, including empty ones."""
    yield CommentSection("what it is compared with", _compared(plan), 0)
    yield CommentSection("why an apply would be refused", _refusals(plan), 0)
    yield CommentSection("what the actor may not change", _denials(outcome), 1)
    for text in (not_tested(plan), left_out(plan)):
        yield CommentSection("what the plan leaves out", escape(text), 2)
    lines = sender_lines(plan) if not plan.empty else []
    yield CommentSection("who sends as whom", _routes(lines), 3)
    if any(line.mark != " " for line in lines):
        yield CommentSection("the diagram of who sends as whom", _diagram(lines), 8)
    yield CommentSection("the secrets that would go somewhere new", _secrets(plan), 4)
    yield CommentSection("the settings that differ", _settings(plan), 5)
    yield CommentSection("the rights that would change", _rights(plan), 6)
    if plan.changes:
        yield CommentSection("", "#### Changes, field by field", 0)
    for title, names, body in change_sections(plan):
        yield CommentSection(names, folded(title, as_diff(body)), 9)
    yield CommentSection("what is created again", _titled(forgotten(plan, _WIDE)), 7)
    yield CommentSection("the live tests", _tests(outcome), 2)
    yield CommentSection("what an apply will do", _titled(steps(plan, _WIDE)), 7)


def _compared(plan: Plan) -> str:
    return f"> [!NOTE]\n> {escape(compared_with(plan))}" if plan.base else ""


def _titled(section: str) -> str:
    title, _, body = section.partition("\n")
    return f"#### {escape(title.rstrip(':'))}\n\n{fenced(body)}" if section else ""


def _refusals(plan: Plan) -> str:
    if not plan.violations:
        return ""
    lines = []
    for items in by_limit(plan.violations):
        shown, more = shortened([escape(item.message) for item in items], NAMED)
        options = overriding_options(items)
        to_allow = f"  \n>   To allow {'it' if len(items) == 1 else 'them'}: {code(options)}"
        texts = [f"> - {text}" for text in (*shown, *([more] if more else []))]
        lines += [*texts[:-1], texts[-1] + (to_allow if options else "")]
    return "\n".join(["> [!CAUTION]", "> Why an apply would be refused:", ">", *lines])


def _denials(outcome: PlanOutcome) -> str:
    if not outcome.denials:
        return ""
    shown, more = shortened(outcome.denials, TO_ACT_ON)
    lines = [f"> - {code(str(item.address))}: {escape(item.message)}" for item in shown]
    lines += [f"> - {more}"] if more else []
    who = escape(_cut(outcome.actor, _LONGEST_NAME))
    return "\n".join(["> [!WARNING]", f"> {who} may not make these changes:", ">", *lines])


def _routes(lines: list[SenderLine]) -> str:
    if not lines:
        return ""
    changed = [line for line in lines if line.mark != " "]
    kept, folded = (lines, {}) if len(lines) <= LINES else fold(changed)
    shown, more = shortened(kept, BLOCKS)
    rows = [
        (
            _MARKS[line.mark],
            _sender(line.sender),
            in_words(line.before, code),
            _after(line),
            _audience(line),
        )
        for line in shown
    ]
    rows += [
        (
            _MARKS[mark],
            f"and {number} more",
            "",
            escape(f"as {as_whom} through {through}"),
            escape(users),
        )
        for (mark, as_whom, through, users), number in folded.items()
    ]
    same = len(lines) - len(changed) if len(lines) > LINES else 0
    parts = ["#### Who sends as whom"]
    if rows:
        parts.append(markdown_table(("", "Mail from", "before", "after", "may send it"), rows))
    else:
        parts.append("No sender's route changes.")
    notes = [f"{more} change."] if more else []
    notes += [f"{counted(same, 'sender')} as before."] if same and rows else []
    return "\n\n".join([*parts, " ".join(notes)] if notes else parts)


def _sender(sender: str) -> str:
    return sender if sender == ANY_OTHER else code(with_a_label(sender))


def _after(line: SenderLine) -> str:
    old, new = line.before, line.after
    if old is None or new is None or (old.as_address, old.via) != (new.as_address, new.via):
        return in_words(new, code)
    return "as before" + (why(new) if old.reason != new.reason else "")


def _audience(line: SenderLine) -> str:
    now = escape(with_a_labels(line.after.users)) if line.after else ""
    was = escape(with_a_labels(line.before.users)) if line.before else now
    return now if was == now or line.mark == " " else f"{now} (before: {was})"


def _diagram(lines: list[SenderLine]) -> str:
    picture = mermaid(lines)
    legend = "Thick arrows are new, dotted ones go away."
    return f"{picture}\n\n{legend}" if picture else ""


def _secrets(plan: Plan) -> str:
    groups = grouped_uses(plan.new_credentials, frozenset(pending_uses(plan.violations)))
    rows = []
    for item in groups[:BLOCKS]:
        names = listed([code(name) for name in item.names])
        application = item.protocol == GATEWAY
        what = "application" if application else "connector" if len(item.names) > 1 else ""
        count = f"{counted(len(item.names), what)}: " if len(item.names) > 1 else f"{what} "
        rows.append(
            (
                "<br>".join(same_secrets(item, code)),
                count.lstrip() + names + ("" if application else f" ({escape(item.protocol)})"),
                "<br>".join(places_before(item, code)),
                code(item.after),
            )
        )
    rest = sum(len(item.names) for item in groups[BLOCKS:])
    return _listing(
        "Secrets that would go somewhere new",
        ("secret", "of", "configured at" if plan.base else "applied at", "would go to"),
        rows,
        f"and {rest} more" if rest else "",
    )


def _settings(plan: Plan) -> str:
    shown, more = shortened(plan.settings_changes, BLOCKS)
    rows = [
        (
            code(item.name),
            f"{code(item.before)} ({escape(item.before_source)})" if item.before else "not set",
            f"{code(item.after)} ({escape(item.after_source)})" if item.after else "not set",
        )
        for item in shown
    ]
    since = code(plan.base.ref) if plan.base else "the last apply"
    head = ("setting", f"{'in' if plan.base else 'at'} {since}", "now")
    return _listing(f"Settings that differ from {since}", head, rows, more)


def _listing(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], more: str) -> str:
    if not rows:
        return ""
    table = markdown_table(head, rows)
    return f"#### {title}\n\n{table}" + (f"\n\n{more}." if more else "")


def _rights(plan: Plan) -> str:
    title, _, body = access(plan, _WIDE).partition("\n")
    return f"#### {title.rstrip(':')}\n\n{as_diff(body)}" if body else ""


def _tests(outcome: PlanOutcome) -> str:
    if not outcome.results:
        return ""
    count = escape(tests_summary(outcome.results))
    return f"#### Live tests\n\n**{count}**\n\n{results_table(outcome.results)}"


def _within_the_limit(head: str, sections: list[CommentSection]) -> str:
    """Omit whole sections if there are too many, and say which."""
    wanted = [item for item in sections if item.text]
    left = MOST_BYTES - _FOR_THE_NOTICE - _size(head)
    kept: set[int] = set()
    for place, item in sorted(enumerate(wanted), key=lambda pair: pair[1].rank):
        if _size(item.text) <= left:
            kept.add(place)
            left -= _size(item.text)
    cut = [item for place, item in enumerate(wanted) if place not in kept and item.name]
    parts = [head]
    if cut:
        names = [code(_cut(item.name, _LONGEST_NAME)) for item in cut]
        parts.append(
            f"> [!IMPORTANT]\n> This comment is too long for all of the plan. Left out:"
            f" {counted(len(cut), 'section')} ({listed(names)}). All of it is in the output of"
            " `reconciler plan`, and in the report that `--report json=FILE` writes."
        )
    parts += [item.text for place, item in enumerate(wanted) if place in kept]
    return "\n\n".join(parts)


def _size(text: str) -> int:
    return len(text.encode()) + len("\n\n")
