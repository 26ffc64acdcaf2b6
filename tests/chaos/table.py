"""The table of attacks: what was tried, the outcome, and what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.plans import ATTACKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True)
class _Row:
    places: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)


class AttackTable:
    """Collects attacks, in any order."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], _Row] = {}

    def add(self, attack: list[object]) -> None:
        """Take in an attack as a test has recorded it."""
        target, kind, store, _, came, found, seed = attack
        assert isinstance(found, list)
        row = self._rows.setdefault((str(target), str(kind)), _Row())
        row.places[str(store)] += 1
        row.outcomes[str(came)] += 1
        row.found += [f"{seed}: {item}" for item in found]

    def write(self, path: Path, command: str) -> None:
        """Write it as Markdown, below the command that made it."""
        path.write_text("\n".join(self._lines(command)) + "\n", encoding="utf-8")

    def _lines(self, command: str) -> Iterator[str]:
        tried = sum(sum(row.places.values()) for row in self._rows.values())
        found = sum(len(row.found) for row in self._rows.values())
        yield f"`{command}`: {tried} attacks, {found} broken promises."
        yield ""
        yield "| target | attack | tried | outcome | found |"
        yield "| --- | --- | --- | --- | --- |"
        order = sorted(self._rows, key=lambda key: (key[0], ATTACKS.index(key[1])))
        for key in order:
            row = self._rows[key]
            places = ", ".join(f"{number} {store}" for store, number in sorted(row.places.items()))
            outcomes = "; ".join(f"{number} {came}" for came, number in row.outcomes.most_common())
            yield f"| {key[0]} | {key[1]} | {places} | {outcomes} | {'; '.join(row.found) or '-'} |"
