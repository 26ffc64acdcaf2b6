"""Shards are a partition that depends on nothing but names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.probe.shard import Shard

NAMES = st.sets(st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True), max_size=60)


def parts(names: set[str], count: int) -> list[set[str]]:
    shards = [Shard(number, count) for number in range(1, count + 1)]
    return [{name for name in names if shard.takes(name)} for shard in shards]


@given(names=NAMES, count=st.integers(1, 12))
def test_every_connector_is_in_exactly_one_shard(names: set[str], count: int) -> None:
    found = parts(names, count)
    assert set().union(*found) == names
    assert sum(len(part) for part in found) == len(names)


@given(names=NAMES, gone=st.data(), count=st.integers(1, 12))
def test_a_removed_connector_does_not_change_the_shard_of_others(
    names: set[str], gone: st.DataObject, count: int
) -> None:
    left = {name for name in names if gone.draw(st.booleans())}
    assert parts(left, count) == [part & left for part in parts(names, count)]


def test_the_shard_of_a_name_is_the_same_in_every_release() -> None:
    numbers = {
        name: next(n for n in range(1, 9) if Shard(n, 8).takes(name))
        for name in ("info", "no-reply", "payroll", "support")
    }
    assert numbers == {"info": 8, "no-reply": 4, "payroll": 1, "support": 6}


def test_the_work_is_shared_about_evenly() -> None:
    sizes = [len(part) for part in parts({f"c-{n}" for n in range(8000)}, 8)]
    assert min(sizes) > 900
    assert max(sizes) < 1100


@pytest.mark.parametrize(("number", "count"), [(0, 3), (4, 3), (1, 0), (-1, 2)])
def test_a_number_outside_the_count_is_rejected(number: int, count: int) -> None:
    with pytest.raises(ValueError, match="invalid shard"):
        Shard(number, count)
