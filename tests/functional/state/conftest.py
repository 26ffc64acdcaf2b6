"""Starts real processes that work on a state, and makes sure that all of them end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import interpreter

HERE = Path(__file__).parent

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts ``worker.py`` with arguments; input, output and errors are pipes of text."""
    running: list[subprocess.Popen[str]] = []
    # Coverage would write its own files and complain where a worker is killed, out of space or
    # without rights.
    untraced = {"PATH": os.environ["PATH"], "LANG": interpreter.LOCALE}

    def run(*arguments: str) -> subprocess.Popen[str]:
        process = interpreter.Popen(
            [sys.executable, str(HERE / "worker.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            env=untraced,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            # The whole group, so that what a worker started ends with it.
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".reconciler" / "state.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"
