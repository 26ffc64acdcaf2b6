"""Servers that stop when the tests do, however those end."""

from __future__ import annotations

import os
import signal
import subprocess


class ServerProcess:
    """A server that stays in the foreground, with a process group of its own.

    A shell waits on a pipe from us. If we are killed, so that no fixture can end the server, the pipe
    closes, and the shell ends it. (A signal at the parent's death would be lost on Postfix: the kernel
    forgets it when a process changes its user.)
    """

    def __init__(self, *command: str) -> None:
        self._server = subprocess.Popen(command, start_new_session=True)
        self._guard = subprocess.Popen(
            ("/bin/sh", "-c", 'read _; kill -s KILL -- "-$0"', str(self._server.pid)),
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._server.pid

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill it and its children, which have nothing to lose; a clean stop would take seconds."""
        # In this order: once the server has been waited for, its process ID may be reused.
        self._guard.kill()
        self._guard.communicate()
        if self._server.poll() is None:
            os.killpg(self._server.pid, how)
        self._server.wait(60)
