"""Values as SQLite keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from reconciler.state.sqlite_values import marks, to_sqlite


def test_moments_are_kept_in_utc_and_sort_as_text() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    there = noon.astimezone(timezone(timedelta(hours=5)))
    assert to_sqlite(there) == to_sqlite(noon) == "2026-03-01T12:00:00.000000+00:00"
    later = noon + timedelta(microseconds=1)
    assert sorted([to_sqlite(later), to_sqlite(noon)]) == [to_sqlite(noon), to_sqlite(later)]


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_sqlite(datetime(2026, 3, 1, 12))  # noqa: DTZ001 - what is refused


def test_other_values_stay() -> None:
    assert [to_sqlite(value) for value in (None, True, 5, "ü")] == [None, True, 5, "ü"]


def test_there_is_a_place_for_each_value() -> None:
    assert [marks(number) for number in range(3)] == ["", "?", "?, ?"]
