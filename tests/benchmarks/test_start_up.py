"""Starting: a command costs little more than the interpreter with the libraries that it cannot do without."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.measure import RECONCILER, compared, cpu_seconds

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Tell

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

BARE = (sys.executable, "-c", "import click; from pydantic import BaseModel, TypeAdapter")


@pytest.mark.parametrize(("arguments", "limit"), [(("--help",), 1.0), (("validate",), 3.0)])
def test_a_command_starts_within_a_small_multiple_of_its_libraries(
    arguments: tuple[str, ...], limit: float, tell: Tell
) -> None:
    ratio = compared(
        lambda: cpu_seconds(RECONCILER, *arguments),
        lambda: cpu_seconds(*BARE),
        pairs=15,
    )
    tell(f"reconciler {' '.join(arguments)}, against Python with click and pydantic: {ratio}")
    assert ratio.median <= limit
