"""A sequence that is made at the first look is what it would have been if it had been made at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.later import Later


@given(st.lists(st.integers()), st.lists(st.integers()))
def test_it_equals_the_tuple_that_it_stands_for(values: list[int], others: list[int]) -> None:
    made = tuple(values)
    later = Later(lambda: made)
    assert later == made
    assert made == later
    assert later == Later(lambda: made)
    assert (later == tuple(others)) == (made == tuple(others))
    assert later != values
    assert (hash(later), repr(later), len(later)) == (hash(made), repr(made), len(made))
    assert (tuple(later), later[1:]) == (made, made[1:])


def test_it_is_made_once_and_only_if_it_is_used() -> None:
    calls = []

    def make() -> tuple[int, ...]:
        calls.append("made")
        return (1, 2)

    later = Later(make)
    assert not calls
    assert (later[0], list(later), 2 in later) == (1, [1, 2], True)
    assert calls == ["made"]
