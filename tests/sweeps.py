"""What a test of many inputs that are alike tries of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Some(Protocol):
    """The ``some`` fixture of ``tests/conftest.py``."""

    def __call__(self, inputs: Iterable[T], /) -> list[T]:
        """Take a part of the inputs."""
