"""The list of stored connectors, on terminals wide and narrow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.model.snapshot import LastTest
from reconciler.render.formats import OutputFormat
from reconciler.render.status import nothing_listed, status_document, status_text
from reconciler.render.terminal import Style, width_of
from reconciler.values import replace
from tests.builders import EMPTY, NOON, connector, group, stored

_FAILED = LastTest(
    passed=False, at=NOON, stage="imap authentication", error_class="auth_failed", summary="No."
)
_STATE = stored(
    connector("support", display_name="📬 Support 郵便箱", labels=("team=hr",)),
    connector("a" * 63, draft=True),
    connector("billing"),
    group("hr", "ada"),
    tests={"billing": _FAILED, "support": None},
)
_ALL = status_document(_STATE, _STATE.resources)


def test_the_list_has_the_columns_of_the_page_of_data_sources() -> None:
    header = status_text(_ALL, OutputFormat.HUMAN, Style(width=300)).splitlines()[0]
    assert header.replace(" (UTC)", "").split("  ")[0] == "NAME"
    assert [word for word in ("DISPLAY NAME", "TYPE", "MODIFIED (UTC)", "MODIFIED BY", "STATUS")
            if word not in header] == []  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_no_line_is_wider_than_the_terminal_and_every_connector_has_one(
    width: int, colour: bool
) -> None:
    text = status_text(_ALL, OutputFormat.HUMAN, Style(colour=colour, width=width))
    for code in ("\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m"):
        text = text.replace(code, "")
    lines = text.splitlines()
    assert len(lines) == 4
    assert max(width_of(line) for line in lines) <= width


def test_a_failing_connector_says_where() -> None:
    text = status_text(_ALL, OutputFormat.HUMAN, Style(width=300))
    assert "failing at imap authentication (auth_failed) since 2026-" in text


def test_a_failing_connector_shows_since_when_and_when_it_was_tested() -> None:
    later = replace(_FAILED, at=NOON + timedelta(days=3)).after(NOON)
    state = stored(connector("billing"), tests={"billing": later})
    (item,) = status_document(state, state.resources).connectors
    assert item.failing_since == NOON.isoformat(timespec="seconds")
    assert item.tested_at == later.at.isoformat(timespec="seconds")


def test_an_empty_list_names_the_filter_and_the_existing_values() -> None:
    told = nothing_listed(_STATE, ("x*", "y"), ("hr",), "failing")
    assert told.startswith(
        "No stored connector named x* or y and labelled hr and that is failing. Stored: "
    )
    assert "billing, support" in told or "support" in told
    assert nothing_listed(EMPTY, ("x",), (), None).startswith("Nothing was applied yet.")
    assert nothing_listed(stored(group("hr")), (), (), None) == "No connector is stored."
