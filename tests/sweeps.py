"""What a test of many similar inputs tries of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Some: TypeAlias = Callable[[Iterable[Any]], list[Any]]
"""The ``some`` fixture of ``tests/conftest.py``: takes a part of the inputs."""
