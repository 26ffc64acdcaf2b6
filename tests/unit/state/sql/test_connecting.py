"""What is set once for every connection to PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

BROKEN: Final = """
import logging
from reconciler.model.state_url import parse
from reconciler.state.sql.connecting import Connecting

Connecting(parse("postgresql://tester@db.contoso.example/state"))
logging.getLogger("psycopg").warning("error ignored terminating a pipeline")
"""


def test_the_drivers_log_of_a_broken_connection_is_not_on_standard_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
