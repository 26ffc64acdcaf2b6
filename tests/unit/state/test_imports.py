"""What the state costs to import: only what is used is loaded."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.state.sql.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.state.base import Revision


def loaded(code: str) -> set[str]:
    """The top-level packages that are loaded once the code has run in a process of its own."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["base", "key", "location", "lease", "effects"])
def test_the_ports_and_the_key_do_without_a_database(module: str) -> None:
    assert not loaded(f"import reconciler.state.{module}") & {"sqlalchemy", "alembic", "psycopg"}


def test_a_state_is_created_and_written_without_sqlalchemy(url: str) -> None:
    code = (
        "from reconciler.state.sql.store import open_store\n"
        f"store = open_store({url!r})\n"
        "assert not store.migrate()\n"
        "with store.lock(holder='a', operation='b') as lock:\n"
        "    store.record_settings((), token=lock.lease.token)\n"
        "assert store.load().serial == 0\n"
    )
    assert not loaded(code) & {"sqlalchemy", "alembic", "mako", "psycopg"}


def test_a_current_state_is_read_without_alembic(
    url: str, path: Path, apply: Callable[..., Revision]
) -> None:
    apply(open_store(url))
    code = (
        "from reconciler.state.sql.store import open_store\n"
        f"store = open_store({url!r})\n"
        "assert store.check() == ()\n"
        "with store.lock(holder='a', operation='b'): pass\n"
    )
    found = loaded(code)
    assert "sqlalchemy" in found
    assert not found & {"alembic", "mako", "psycopg"}
