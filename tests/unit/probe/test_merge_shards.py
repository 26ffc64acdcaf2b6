"""Shards are joined to one run, or refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.errors import ReconcilerError
from reconciler.probe.merge_shards import merge
from reconciler.probe.report import (
    RunDocument,
    SelectionDocument,
    TestReport,
    report,
    results,
)
from reconciler.probe.shard import Shard
from reconciler.values import replace
from tests.builders import result

if TYPE_CHECKING:
    from random import Random

    from reconciler.probe.result import ConnectorResult

NAMES = [f"c-{number}" for number in range(30)]


def run(shard: Shard | None, **fields: object) -> RunDocument:
    selection = SelectionDocument(names=(), labels=(), which="all", depth=Stage.ENVELOPE)
    made = RunDocument(configuration="sha256:1", selection=selection, shard=shard)
    return replace(made, **fields)  # type: ignore[arg-type]


def whole(names: list[str] = NAMES) -> tuple[ConnectorResult, ...]:
    classes = {"c-3": ErrorClass.AUTH_REJECTED, "c-7": ErrorClass.TIMEOUT}
    return tuple(result(name, classes.get(name)) for name in sorted(names))


def shards(count: int, names: list[str] = NAMES) -> dict[str, TestReport]:
    return {
        f"{number}.json": report(
            tuple(item for item in whole(names) if Shard(number, count).takes(item.connector)),
            run(Shard(number, count)),
        )
        for number in range(1, count + 1)
    }


@given(names=st.sets(st.sampled_from(NAMES)), count=st.integers(1, 9), order=st.randoms())
def test_the_shards_of_a_run_in_any_order_are_the_run(
    names: set[str], count: int, order: Random
) -> None:
    parts = list(shards(count, sorted(names)).items())
    order.shuffle(parts)
    assert merge(parts) == report(whole(sorted(names)), run(None))


def test_a_report_holds_everything_of_its_results() -> None:
    assert results(report(whole())) == whole()


def refusal(parts: dict[str, TestReport]) -> str:
    with pytest.raises(ReconcilerError) as refused:
        merge(list(parts.items()))
    return refused.value.message


def test_a_missing_shard_is_refused() -> None:
    parts = shards(4)
    del parts["2.json"], parts["3.json"]
    assert refusal(parts) == "of 4 shards, 2, 3 are missing"


def test_a_duplicate_shard_is_rejected() -> None:
    parts = shards(2)
    assert refusal({**parts, "copy.json": parts["1.json"]}) == (
        "1.json and copy.json are both shard 1/2"
    )


def test_a_report_of_a_whole_run_is_refused() -> None:
    assert refusal({"all.json": report(whole(), run(None))}) == (
        "all.json is not the report of a shard"
    )
    assert "is not the report of a shard" in refusal({"apply.json": report(whole())})


def test_shards_of_another_count_configuration_or_selection_are_refused() -> None:
    parts = shards(2)
    other = shards(3)["3.json"]
    assert refusal({**parts, "x": other}) == "1.json is one of 2 shards, but x is one of 3"
    second = parts["2.json"]
    assert second.run is not None
    moved = replace(second, run=replace(second.run, configuration="sha256:2"))
    assert "different configurations" in refusal({**parts, "2.json": moved})
    deeper = replace(second.run.selection, depth=Stage.TLS)
    asked = replace(second, run=replace(second.run, selection=deeper))
    assert "different connectors or tests" in refusal({**parts, "2.json": asked})


def test_a_run_that_was_interrupted_is_refused() -> None:
    parts = shards(2)
    broken = replace(parts["1.json"], error="interrupted")
    assert refusal({**parts, "1.json": broken}) == ("1.json is from a run that failed: interrupted")
    first = parts["1.json"].run
    assert first is not None
    partial = replace(parts["1.json"], run=replace(first, not_run=("c-1", "c-2")))
    assert refusal({**parts, "1.json": partial}) == "1.json is incomplete, without c-1, c-2"


def test_a_connector_of_another_shard_or_twice_is_refused() -> None:
    parts = shards(2)
    strange = next(name for name in NAMES if Shard(2, 2).takes(name))
    more = replace(
        parts["1.json"], connectors=(*parts["1.json"].connectors, *report((result(strange),)).connectors)
    )  # fmt: skip
    assert refusal({**parts, "1.json": more}) == (
        f"1.json contains connectors of another shard: {strange}"
    )
    twice = replace(parts["1.json"], connectors=parts["1.json"].connectors * 2)
    assert "more than once" in refusal({**parts, "1.json": twice})
