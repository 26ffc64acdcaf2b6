"""How long a test waits before it begins anew."""

from __future__ import annotations

from reconciler.probe.stages import back_off


def test_each_wait_is_twice_as_long_as_the_one_before_up_to_a_limit() -> None:
    assert [back_off(number) for number in range(2, 10)] == [0.5, 1, 2, 4, 8, 8, 8, 8]
    assert back_off(10_000) == 8
