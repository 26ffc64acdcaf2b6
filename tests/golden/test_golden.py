"""Every rendering equals its file here.

``pytest tests/golden --write-golden`` rewrites the files; review the diff.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.golden.cases import CASES

HERE: Final = Path(__file__).parent


@pytest.mark.parametrize("name", CASES)
def test_a_rendering_is_as_it_was(name: str, request: pytest.FixtureRequest) -> None:
    rendered = CASES[name]().rstrip("\n") + "\n"
    path = HERE / name
    if request.config.getoption("--write-golden"):
        path.write_text(rendered, encoding="utf-8")
    assert rendered == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    kept = {path.name for path in HERE.iterdir() if path.is_file() and path.suffix != ".py"}
    assert kept == set(CASES)
