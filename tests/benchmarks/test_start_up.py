"""Starting: a command costs little more than the interpreter with the libraries that it cannot do without."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.benchmarks.measure import RECONCILER, ROOT, compared, cpu_seconds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.conftest import Tell

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

# `import pydantic` alone loads nothing of it: its names are looked up when they are used.
BARE = (sys.executable, "-c", "import click; from pydantic import BaseModel, TypeAdapter")
ALLOWED: Final = {
    "RECONCILER_ALLOW_CREDENTIAL": "*",
    "RECONCILER_ACTOR": "mail-lead@contoso.example",
}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped example, applied."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "connectors.d", folder / "connectors.d")
    command = (RECONCILER, "apply", "--auto-approve", "--skip-tests", "no servers here")
    cpu_seconds(*command, cwd=folder, environ=ALLOWED)
    return folder


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        (("--help",), 1.0),
        (("validate",), 3.0),
        (("plan",), 4.0),
        (("status",), 3.0),
        (("route", "--from", "info@contoso.example", "--as", "joan@contoso.example"), 3.0),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_command_starts_within_a_small_multiple_of_its_libraries(
    arguments: tuple[str, ...], limit: float, applied: Path, tell: Tell
) -> None:
    ratio = compared(
        lambda: cpu_seconds(RECONCILER, *arguments, cwd=applied, environ=ALLOWED),
        lambda: cpu_seconds(*BARE),
        pairs=15,
    )
    tell(f"reconciler {' '.join(arguments)}, against Python with click and pydantic: {ratio}")
    assert ratio.median <= limit
