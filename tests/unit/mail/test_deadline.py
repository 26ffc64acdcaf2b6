from __future__ import annotations

from threading import Event

import pytest

from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled, TimedOut


def test_the_remaining_time_shrinks_and_ends() -> None:
    deadline = Deadline(60)
    assert deadline.remaining() <= 60
    with pytest.raises(TimedOut):
        Deadline(0).remaining()


def test_a_part_ends_before_the_whole() -> None:
    deadline = Deadline(60)
    assert deadline.part(0.5).remaining() <= 30
    with pytest.raises(TimedOut):
        deadline.part(0).remaining()


def test_a_cancellation_ends_the_parts_and_the_pauses_too() -> None:
    cancelled = Event()
    deadline = Deadline(60, cancelled)
    part = deadline.part(0.5)
    cancelled.set()
    for waiting in (deadline, part):
        with pytest.raises(Cancelled):
            waiting.remaining()
        with pytest.raises(Cancelled):
            waiting.pause(60)


def test_a_pause_is_never_longer_than_what_is_left() -> None:
    with pytest.raises(TimedOut):
        Deadline(0.01).pause(60)
    Deadline(60).pause(0)
