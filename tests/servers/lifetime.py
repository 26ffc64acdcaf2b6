"""Servers that end with the tests, however the tests end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess


def start(*command: str) -> subprocess.Popen[bytes]:
    """Start a server that stays in the foreground.

    It gets a process group of its own. Should we be killed, so that no fixture can end it, the kernel
    does (prctl(2), PR_SET_PDEATHSIG).
    """
    setpriv = shutil.which("setpriv")
    with_us = (setpriv, "--pdeathsig", "TERM") if setpriv else ()
    return subprocess.Popen((*with_us, *command), start_new_session=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """End it and its children, who have nothing to lose; politely it would take seconds."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
