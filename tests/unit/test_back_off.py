"""The one schedule of waits, and what those who wait by it agree on."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from reconciler.back_off import BackOff

SECONDS = st.floats(0.001, 1_000)


def test_each_wait_is_twice_the_one_before_up_to_the_longest() -> None:
    assert list(islice(BackOff(first=0.5, longest=8.0), 7)) == [0.5, 1, 2, 4, 8, 8, 8]


def test_there_is_one_wait_less_than_there_are_tries() -> None:
    assert list(BackOff(first=0.25, longest=1.0, tries=4)) == [0.25, 0.5, 1]
    assert list(BackOff(first=1, longest=1, tries=1)) == []


def test_every_use_begins_with_the_first_wait() -> None:
    waits = BackOff(first=1, longest=4, tries=3)
    assert list(waits) == list(waits) == [1, 2]


@given(first=SECONDS, longest=SECONDS, tries=st.integers(1, 2_000))
def test_waits_never_shrink_and_never_exceed_the_longest(
    first: float, longest: float, tries: int
) -> None:
    waits = list(BackOff(first=first, longest=longest, tries=tries))
    assert len(waits) == tries - 1
    assert waits == sorted(waits)
    assert all(0 < wait <= longest for wait in waits)


def test_a_token_endpoint_that_is_busy_is_asked_again_by_the_next_try_of_a_test() -> None:
    from reconciler.mail.oauth import BUSY_SECONDS
    from reconciler.probe.stages import RETRY

    assert RETRY.first > BUSY_SECONDS
