"""A shard: one part of a partition of the connectors, so that machines can share the work."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Part ``number`` of ``count``, counted from 1.

    The part of a connector depends only on its name and the count, so adding or removing one moves no
    other, and no machine has to know what the others do. Raises ValueError for a number that is not
    within the count.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"invalid shard {self}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def takes(self, name: str) -> bool:
        """Whether the connector of that name is in this shard."""
        hashed = hashlib.sha256(name.encode()).digest()
        return int.from_bytes(hashed[:8], "big") % self.count == self.number - 1
