"""The page of a plan: the verdict first, then who sends as whom, then everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.credential_use import GATEWAY
from reconciler.model.domain import with_a_label, with_a_labels
from reconciler.plan.alike_uses import grouped_uses, pending_uses
from reconciler.plan.limits import overriding_options
from reconciler.render.change_sections import change_sections
from reconciler.render.html.page import Fold, Page, Row, Section, Table, Tone, to_html
from reconciler.render.html.picture import picture
from reconciler.render.html.problems import problems_section
from reconciler.render.html.tests import results_section
from reconciler.render.human.impact import access, by_limit, places_before, same_secrets
from reconciler.render.human.plan import compared_with, left_out, not_tested, steps, summary
from reconciler.render.human.routes import in_words, sender_lines
from reconciler.render.terminal import Style
from reconciler.wording import PAGE_ROWS, counted, listed, shortened

if TYPE_CHECKING:
    from reconciler.plan.planner import Plan
    from reconciler.render.human.routes import SenderLine
    from reconciler.render.plan import PlanOutcome

_WIDE = Style(colour=False, width=160)
_WORDS = {
    "+": ("new", Tone.GOOD),
    "~": ("changed", Tone.CHANGED),
    "-": ("gone", Tone.BAD),
    " ": ("", Tone.PLAIN),
}


def plan_page(
    outcome: PlanOutcome, *, command: str = "plan", ending: str = "", done: bool = False
) -> str:
    """The outcome of planning; ``ending`` is the verdict of an apply, and ``done`` if it was applied."""
    plan = outcome.plan
    environment = plan.environment if plan is not None else outcome.environment
    names = [name for name in (outcome.project, environment) if name]
    verdict, tone = _verdict(outcome, ending)
    return to_html(
        Page(
            title=f"Email connectors: {command}",
            subtitle=", ".join(names)
            + (f", compared with {plan.base.ref}" if plan and plan.base else ""),
            verdict=verdict,
            tone=tone,
            counts=_counts(plan, done=done) if plan is not None else (),
            sections=(
                problems_section(outcome.diagnostics),
                *(_sections(outcome, plan, done=done) if plan is not None else ()),
                results_section(outcome.results),
            ),
        )
    )


def _verdict(outcome: PlanOutcome, ending: str) -> tuple[str, Tone]:
    plan, failed = outcome.plan, sum(not item.passed for item in outcome.results)
    if outcome.error:
        return f"This run ended early: {outcome.error}", Tone.BAD
    if ending:
        return ending, Tone.BAD if failed else Tone.GOOD
    if failed:
        return f"{counted(failed, 'live test')} failed.", Tone.BAD
    if plan is None:
        return "No plan could be made.", Tone.BAD
    if plan.violations or outcome.denials:
        reasons = counted(len(plan.violations) + len(outcome.denials), "reason")
        condition = f"If {plan.base.ref} is what is applied, an" if plan.base else "An"
        return f"{summary(plan)} {condition} apply would be refused, for {reasons}.", Tone.BAD
    return summary(plan), Tone.GOOD if plan.empty else Tone.CHANGED


def _counts(plan: Plan, *, done: bool) -> tuple[tuple[int, str], ...]:
    counts, uses = plan.counts, len(plan.new_credentials)
    rerouted = len(plan.impact.rerouted) if plan.serial else 0
    return (
        (counts.added, "added" if done else "to add"),
        (counts.changed, "changed" if done else "to change"),
        (counts.destroyed, "destroyed" if done else "to destroy"),
        (rerouted, "sender rerouted" if rerouted == 1 else "senders rerouted"),
        (uses, "use of a secret somewhere new" if uses == 1 else "uses of secrets somewhere new"),
    )


def _sections(outcome: PlanOutcome, plan: Plan, *, done: bool) -> tuple[Section, ...]:
    refusals = []
    for found in by_limit(plan.violations):
        options = overriding_options(found)
        refusals += [item.message for item in found]
        refusals[-1] += f" (to allow it: {options})" if options else ""
    refusals += [
        f"{outcome.actor} may not change {item.address}: {item.message}" for item in outcome.denials
    ]
    notes = [compared_with(plan)] if plan.base else []
    notes += [text for text in (not_tested(plan), left_out(plan)) if text]
    _, _, rights = access(plan, _WIDE).partition("\n")
    _, _, will = steps(plan, _WIDE).partition("\n")
    folded = tuple(Fold(title, text) for title, _, text in change_sections(plan))
    return (
        Section(title="Why an apply would be refused", tone=Tone.BAD, items=tuple(refusals)),
        Section(title="Notes", tone=Tone.PLAIN, items=tuple(notes)),
        _routes([] if plan.empty else sender_lines(plan)),
        _secrets(plan),
        _settings(plan),
        Section(
            title="Rights that change",
            folds=(Fold("Who gains and who loses what", rights),) if rights else (),
        ),
        Section(
            title="Changes, field by field",
            note="Open one to read it." if folded else "",
            folds=folded,
        ),
        Section(
            title="Steps of the apply",
            folds=(Fold("Live tests and writes", will),) if will and not done else (),
        ),
    )


def _routes(lines: list[SenderLine]) -> Section:
    # Changes come first.
    ordered = sorted(lines, key=lambda line: line.mark == " ")
    shown, more = shortened(ordered, PAGE_ROWS)
    rows = []
    for line in shown:
        word, tone = _WORDS[line.mark]
        users = with_a_labels(line.after.users) if line.after else ""
        cells = (with_a_label(line.sender), in_words(line.before), in_words(line.after), users)
        rows.append(Row(cells, tone, word))
    return Section(
        title="Who sends as whom",
        note=more,
        picture=picture(lines),
        table=Table(("mail from", "before", "after", "may send it"), tuple(rows)),
    )


def _secrets(plan: Plan) -> Section:
    groups = grouped_uses(plan.new_credentials, frozenset(pending_uses(plan.violations)))
    shown, more = shortened(groups, PAGE_ROWS)
    rows = tuple(
        Row(
            (
                "; ".join(same_secrets(item)),
                listed(item.names) + ("" if item.protocol == GATEWAY else f" ({item.protocol})"),
                "; ".join(places_before(item)),
                item.after,
            ),
            Tone.CHANGED,
            "new",
        )
        for item in shown
    )
    return Section(
        title="Secrets that would go somewhere new",
        note=more,
        table=Table(
            ("secret", "of", "configured at" if plan.base else "applied at", "would go to"), rows
        ),
    )


def _settings(plan: Plan) -> Section:
    rows = tuple(
        Row(
            (
                item.name,
                f"{item.before} ({item.before_source})" if item.before else "not set",
                f"{item.after} ({item.after_source})" if item.after else "not set",
            ),
            Tone.CHANGED,
            "changed",
        )
        for item in plan.settings_changes
    )
    since = plan.base.ref if plan.base else "the last apply"
    return Section(
        title=f"Settings that differ from {since}",
        table=Table(("setting", f"in {since}" if plan.base else "then", "now"), rows),
    )
