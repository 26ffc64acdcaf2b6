"""What is kept of a live test in the state: whether it passed, and if not, where and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from reconciler.model.resource import to_plain
from reconciler.model.snapshot import LastTest
from reconciler.probe.drift import Known, failure_of
from reconciler.probe.report import ObservedDocument, observed, observed_document
from reconciler.probe.result import Protocol

if TYPE_CHECKING:
    from reconciler.probe.drift import Facts
    from reconciler.probe.result import ConnectorResult, ProtocolResult


def last_test(
    result: ConnectorResult, before: LastTest | None = None, *, shallow: bool = False
) -> LastTest:
    """Boil a result down to the first thing that failed, and to what was found of each half.

    What ``before`` saw of a server that was not seen this time is kept, so that it can be compared with
    once the server is back. A ``shallow`` test does not prove that a half works that failed before.
    """
    known = facts(before)
    found = {
        half.protocol: _KnownDocument(
            failure_of(half) or (earlier.failure if shallow and earlier else ""),
            _observed(half, earlier),
        )
        for half in result.protocols
        for earlier in (known.get(half.protocol),)
    }
    kept = {name.value: to_plain(item, nulls=True) for name, item in found.items()}
    for half, stage, failure in result.failures:
        return LastTest(
            passed=False,
            at=result.started_at,
            stage=f"{half.protocol} {stage.stage}",
            error_class=failure.error_class,
            summary=failure.cause,
            facts=kept,
        )
    return LastTest(passed=True, at=result.started_at, facts=kept)


def facts(last: LastTest | None) -> Facts:
    """What a stored test has seen of each server; what cannot be read is as if it was never seen."""
    if last is None:
        return {}
    try:
        found = _FACTS.validate_python(last.facts)
        return {
            protocol: Known(item.failure, observed(item.observed) if item.observed else None)
            for protocol, item in found.items()
        }
    except ValueError:  # a newer release may see other things
        return {}


def _observed(half: ProtocolResult, known: Known | None) -> ObservedDocument | None:
    seen = half.observed or (known.observed if known else None)
    return observed_document(seen) if seen else None


@dataclass(frozen=True, slots=True)
class _KnownDocument:
    """How a half is stored within ``LastTest.facts``."""

    failure: str
    observed: ObservedDocument | None


_FACTS = TypeAdapter(dict[Protocol, _KnownDocument])


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of the results of a run in the state.

    ``others`` are connectors that the state holds in another version, or not at all. ``shallow`` counts
    those that passed a test that stopped too early to prove anything. ``problem`` says why the state
    took nothing.
    """

    recorded: int = 0
    others: tuple[str, ...] = ()
    shallow: int = 0
    problem: str = ""
