"""Choosing connectors: by name, shell pattern, label, status and shard."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.app.selection import EVERYTHING, Selection, list_stored, select
from reconciler.errors import UsageError
from reconciler.model.snapshot import StoredResource, StoredState
from reconciler.probe.shard import Shard
from tests.builders import connector

INFO = connector("info", labels=("team", "eu"))
PAYROLL = connector("payroll", labels=("team",))
DRAFT = connector("sketch", draft=True)
EVERY = (INFO, PAYROLL, DRAFT)


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (EVERYTHING, (INFO, PAYROLL)),
        (Selection(names=("info",)), (INFO,)),
        (Selection(names=("pay*", "i?fo")), (INFO, PAYROLL)),
        (Selection(labels=("team",)), (INFO, PAYROLL)),
        (Selection(labels=("team", "eu")), (INFO,)),
        (Selection(names=("payroll", "info"), labels=("eu",)), (INFO,)),
    ],
)
def test_names_patterns_and_labels_narrow_down(selection: Selection, found: object) -> None:
    assert select(EVERY, selection) == found


def test_the_shards_of_a_selection_cover_it() -> None:
    parts = [select(EVERY, Selection(shard=Shard(number, 3))) for number in (1, 2, 3)]
    assert sorted(item.name for part in parts for item in part) == ["info", "payroll"]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(names=("inf",)), "no stored connector matches inf"),
        (Selection(names=("sketch",)), "no stored connector matches sketch but drafts"),
        (Selection(labels=("no-such",)), "no stored connector has the labels no-such"),
    ],
)
def test_an_empty_match_is_an_error(selection: Selection, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select(EVERY, selection, what="stored connector")


def test_a_list_shows_drafts_and_may_be_empty() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    stored = tuple(
        StoredResource(resource=item, created_at=now, modified_at=now, modified_by="ada")
        for item in EVERY
    )
    state = StoredState("1f", 1, stored)
    assert list_stored(state, EVERYTHING, None) == stored
    assert list_stored(state, EVERYTHING, "incomplete") == stored[2:]
    assert list_stored(state, Selection(names=("nobody",)), None) == ()
