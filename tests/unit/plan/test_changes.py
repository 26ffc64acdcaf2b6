"""Counting changes: every class of change, once."""

from __future__ import annotations

from typing import get_args

import pytest

from reconciler.plan.changes import (
    Change,
    ChangeCounts,
    Create,
    Delete,
    Forget,
    Rename,
    RotateSecret,
    Update,
)
from reconciler.values import replace
from tests.builders import connector

A = connector("a")
B = replace(A, display_name="Another")
RENAMED = replace(A, name="c")

COUNTED: tuple[tuple[Change, ChangeCounts], ...] = (
    (Create(A), ChangeCounts(added=1)),
    (Update(A, B, ()), ChangeCounts(changed=1)),
    (Rename(A, RENAMED, ()), ChangeCounts(changed=1)),
    (RotateSecret(A, ()), ChangeCounts(changed=1)),
    (Delete(A), ChangeCounts(destroyed=1)),
    (Forget(A), ChangeCounts(destroyed=1)),
)


def test_every_class_of_change_is_in_the_table() -> None:
    assert {type(change) for change, _ in COUNTED} == set(get_args(Change))


@pytest.mark.parametrize(("change", "counts"), COUNTED)
def test_a_change_counts_in_one_column(change: Change, counts: ChangeCounts) -> None:
    assert ChangeCounts.of((change,)) == counts


def test_a_connector_that_is_updated_and_gets_another_secret_changes_once() -> None:
    assert ChangeCounts.of((Update(A, B, ()), RotateSecret(B, ()))) == ChangeCounts(changed=1)
    assert ChangeCounts.of((Rename(A, RENAMED, ()), RotateSecret(RENAMED, ()))) == ChangeCounts(
        changed=1
    )


def test_changes_of_several_resources_add_up() -> None:
    other = connector("other")
    every = (Create(other), Update(A, B, ()), Delete(connector("x")), Forget(connector("y")))
    assert ChangeCounts.of(every) == ChangeCounts(added=1, changed=1, destroyed=2)
