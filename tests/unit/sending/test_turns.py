"""Turns: within the limits of the account whatever happens, and fair between clients."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from reconciler.sending.turns import SendingLimits, Turn, Turns
from tests.builders import connector

ONE = SendingLimits(connections=1)


def asked(turns: Turns, client: str, limits: SendingLimits = ONE, now: float = 0.0) -> Turn:
    turn = Turn(client, limits)
    turns.ask(turn, now)
    return turn


def test_the_limits_are_those_of_the_connector_and_four_connections_else() -> None:
    assert SendingLimits.of(connector("info")) == SendingLimits(4, None)
    limited = connector("info", max_connections=3, mails_per_minute=30)
    assert SendingLimits.of(limited) == SendingLimits(3, 30)


def test_a_client_with_one_mail_waits_for_one_of_another_and_not_for_all() -> None:
    turns = Turns()
    under_way = asked(turns, "shop")
    shop = [asked(turns, "shop") for _ in range(5)]
    printer = asked(turns, "printer")
    order = []
    while turns.busy:
        turns.withdraw(under_way, 0.0)
        following = [turn for turn in (*shop, printer) if turn.come.is_set() and turn not in order]
        order += following
        under_way = following[0] if following else under_way
    assert order == [shop[0], printer, *shop[1:]]
    assert turns.idle


def test_a_rate_counts_any_sixty_seconds() -> None:
    turns, limits = Turns(), SendingLimits(10, 2)
    first, second, third = (asked(turns, "shop", limits, now) for now in (0.0, 20.0, 30.0))
    assert (first.come.is_set(), second.come.is_set(), third.come.is_set()) == (True, True, False)
    assert turns.opens_at(limits, 30.0) == 60.0
    turns.give(59.9)
    assert not third.come.is_set()
    turns.give(60.0)
    assert third.come.is_set()
    assert turns.opens_at(limits, 60.0) == 80.0
    for turn in (first, second, third):
        turns.withdraw(turn, 60.0)
    assert not turns.idle  # its mails still count
    turns.give(200.0)
    assert turns.idle


def test_a_mail_that_gives_up_leaves_the_queue() -> None:
    turns = Turns()
    under_way, gone, last = (asked(turns, "shop") for _ in range(3))
    turns.withdraw(gone, 0.0)
    turns.withdraw(under_way, 0.0)
    assert (gone.come.is_set(), last.come.is_set()) == (False, True)
    assert (turns.busy, turns.waiting) == (1, 0)


@given(
    connections=st.integers(1, 3),
    rate=st.one_of(st.none(), st.integers(1, 5)),
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(0.0, 40.0), st.booleans()), max_size=40
    ),
)
def test_no_order_of_events_breaks_the_limits_or_forgets_a_mail(
    connections: int, rate: int | None, steps: list[tuple[str, float, bool]]
) -> None:
    turns, limits = Turns(), SendingLimits(connections, rate)
    now, begun = 0.0, deque[float]()
    waiting: list[Turn] = []
    busy: list[Turn] = []

    def note() -> None:
        for turn in [item for item in waiting if item.come.is_set()]:
            waiting.remove(turn)
            busy.append(turn)
            begun.append(now)

    for client, seconds, ends in steps:
        now += seconds
        if ends and busy:
            turns.withdraw(busy.pop(0), now)
        else:
            waiting.append(asked(turns, client, limits, now))
        note()
        assert len(busy) == turns.busy <= connections
        assert turns.waiting == len(waiting)
        lately = [moment for moment in begun if moment > now - 60.0]
        assert rate is None or len(lately) <= rate
    while waiting or busy:  # every client gets its turn in the end
        now += 61.0
        if busy:
            turns.withdraw(busy.pop(0), now)
        turns.give(now)
        note()
    assert turns.busy == turns.waiting == 0
