"""The pages of a validation and of a formatting: problems with their places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.html.page import Page, Row, Section, Table, Tone, to_html
from reconciler.wording import PAGE_ROWS, counted, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.diagnostics import Diagnostic
    from reconciler.render.fmt import FmtDocument


def problems_section(problems: Sequence[Diagnostic]) -> Section:
    """Problems of the configuration, errors first."""
    ordered = sorted(problems, key=lambda item: not item.is_error)
    shown, more = shortened(ordered, PAGE_ROWS)
    rows = tuple(
        Row(
            (str(item.location), item.message, item.hint, item.rule),
            Tone.BAD if item.is_error else Tone.CHANGED,
            "error" if item.is_error else "warning",
        )
        for item in shown
    )
    table = Table(("where", "problem", "what to do", "rule"), rows)
    return Section(title="Problems of the configuration", note=more, table=table)


def validation_page(problems: Sequence[Diagnostic], verdict: str, *, valid: bool) -> str:
    """The outcome of a validation; ``verdict`` is its last sentence, or what ended it early."""
    errors = sum(item.is_error for item in problems)
    return to_html(
        Page(
            title="Email connectors: configuration",
            subtitle="",
            verdict=verdict,
            tone=Tone.GOOD if valid else Tone.BAD,
            counts=((errors, "errors"), (len(problems) - errors, "warnings")),
            sections=(problems_section(problems),),
        )
    )


def fmt_page(document: FmtDocument) -> str:
    """The files that were formatted, or would be."""
    changed = document.changed
    looked = counted(len(document.files), "file")
    does = "were formatted" if document.written else "would change"
    verdict = f"{len(changed)} of {looked} {does}." if changed else f"{looked}: nothing to change."
    shown, more = shortened(changed, PAGE_ROWS)
    rows = tuple(
        Row((item.path, f"line {item.line}" if item.line else ""), Tone.CHANGED, "changed")
        for item in shown
    )
    bad = document.error is not None or any(item.is_error for item in document.diagnostics)
    return to_html(
        Page(
            title="Email connectors: layout",
            subtitle="",
            verdict=document.error or verdict,
            tone=Tone.BAD if bad else Tone.GOOD,
            counts=((len(changed), "to format" if not document.written else "formatted"),),
            sections=(
                Section(
                    title="Files",
                    note=more,
                    table=Table(("file", "first difference"), rows),
                ),
                problems_section(document.diagnostics),
            ),
        )
    )
