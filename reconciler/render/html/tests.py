"""The pages of live tests, of drift, and of the stored connectors."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.probe.report import results as results_of
from reconciler.render.html.page import Page, Row, Section, Table, Tone, to_html
from reconciler.render.human.tests import summary
from reconciler.wording import counted

if TYPE_CHECKING:
    from reconciler.probe.report import TestReport
    from reconciler.probe.result import ConnectorResult
    from reconciler.render.drift import DriftDocument
    from reconciler.render.status import StatusDocument

_TONES = {"ready": Tone.GOOD, "failing": Tone.BAD, "incomplete": Tone.CHANGED}


def test_page(document: TestReport) -> str:
    """A run of live tests."""
    found = results_of(document)
    failed = sum(not item.passed for item in found)
    verdict = document.error or (summary(found) if found else "Nothing was tested.")
    not_run = document.run.not_run if document.run else ()
    return to_html(
        Page(
            title="Email connectors: live tests",
            subtitle="",
            verdict=verdict,
            tone=Tone.BAD if document.error or failed else Tone.GOOD,
            counts=((len(found) - failed, "passed"), (failed, "failed"), (len(not_run), "not run")),
            sections=(
                results_section(found),
                Section(title="Not run", items=tuple(not_run)),
            ),
        )
    )


def results_section(results: tuple[ConnectorResult, ...]) -> Section:
    """Results of live tests, failures first."""
    rows = []
    for item in sorted(results, key=lambda item: item.passed):
        for account in item.protocols:
            place = f"{account.protocol} {account.host}:{account.port}"
            failed = account.failed
            if failed is None or failed.failure is None:
                rows.append(Row((item.connector, place, "", ""), Tone.GOOD, "passed"))
            else:
                why = failed.failure
                said = f"{failed.stage}: {why.cause} ({why.error_class})"
                rows.append(Row((item.connector, place, said, why.remedy), Tone.BAD, "failed"))
    table = Table(("connector", "account", "what failed", "what to do"), tuple(rows))
    return Section(title="Live tests", table=table)


def drift_page(document: DriftDocument) -> str:
    """What has changed since the last tests."""
    rows = []
    for item in document.connectors:
        for found in item.findings:
            cells = (item.connector, found.protocol, found.summary, found.before, found.after)
            rows.append(Row(cells, Tone.CHANGED, "changed"))
        for broken in item.failing:
            cells = (item.connector, broken.protocol, broken.cause, "", broken.remedy)
            rows.append(Row(cells, Tone.BAD, "failing"))
    failing = document.rejected + document.unreachable
    bad = bool(document.error or failing)
    verdict = document.error or (
        f"Of {counted(document.tested, 'connector')}, {document.drifted} changed and {failing} failed."
        if document.drifted or failing
        else f"Nothing changed. Tested {counted(document.tested, 'connector')}."
    )
    return to_html(
        Page(
            title="Email connectors: drift",
            subtitle=f"since the last tests; the state is at serial {document.serial}",
            verdict=verdict,
            tone=Tone.BAD if bad else Tone.CHANGED if document.drifted else Tone.GOOD,
            counts=(
                (document.tested, "tested"),
                (document.drifted, "changed"),
                (document.rejected, "rejected"),
                (document.unreachable, "unreachable"),
            ),
            sections=(
                Section(
                    title="What changed, and what fails",
                    table=Table(
                        ("connector", "account", "what", "before", "now, or what to do"),
                        tuple(rows),
                    ),
                ),
            ),
        )
    )


def status_page(document: StatusDocument) -> str:
    """The stored connectors."""
    counts = Counter(item.status for item in document.connectors)
    order = ("failing", "untested", "incomplete", "ready")
    rows = tuple(
        Row(
            (
                item.name,
                item.display_name,
                item.type,
                ", ".join(item.labels),
                f"{item.stage}: {item.error_class}, since {item.failing_since}"
                if item.stage
                else "",
                f"{item.modified_at[:16].replace('T', ' ')} by {item.modified_by}",
            ),
            _TONES.get(item.status, Tone.PLAIN),
            item.status,
        )
        for item in sorted(
            document.connectors,
            key=lambda item: (order.index(item.status) if item.status in order else 0, item.name),
        )
    )
    failing = counts["failing"]
    verdict = "Nothing has been applied yet." if not document.serial else "No connector is failing."
    if failing:
        verdict = f"{failing} of {len(rows)} connectors {'is' if failing == 1 else 'are'} failing."
    return to_html(
        Page(
            title="Email connectors",
            subtitle=f"the state at serial {document.serial}",
            verdict=verdict,
            tone=Tone.BAD if failing else Tone.GOOD if document.serial else Tone.CHANGED,
            counts=tuple((counts[name], name) for name in order[::-1]),
            sections=(
                Section(
                    title="Connectors",
                    table=Table(
                        ("name", "display name", "type", "labels", "failed at", "changed (UTC)"),
                        rows,
                    ),
                ),
            ),
        )
    )
