"""Starts processes of the interpreter under test.

``Popen`` and ``run`` are those of ``subprocess``, but where the command is a program for our own interpreter
(``[sys.executable, "-m", …]``, ``"-c"`` or a script), a server forks the process (``tests/fork_server.py``)
instead of starting an interpreter. It is a child of this process in either case, with its own process id,
streams, signals and exit status; ``tests/test_interpreter.py`` compares the two. An interpreter is started
where its start is what matters: with options (``-W``; ``-I`` is known), with a variable that only a start reads
(``PYTHON…``, a locale), with coverage, or where a test calls ``subprocess`` itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LOCALE: Final = "C.UTF-8"
"""The locale of the server and of all that it forks."""

_READ_AT_START: Final = ("PYTHON", "COV", "LANG", "LC_", "LD_", "OPENSSL", "PSYCOPG")
_SET_CHILD_SUBREAPER: Final = 36
_SERVER: Final = Path(__file__).with_name("fork_server.py")


class Popen(subprocess.Popen[Any]):
    """A process, forked if it can be."""

    def _execute_child(self, *given: Any) -> None:
        # The one step of ``subprocess.Popen`` that differs; everything else, from the pipes to the exit
        # status, is as it is written there.
        function = subprocess.Popen._execute_child  # type: ignore[attr-defined]
        told = inspect.signature(function).bind(self, *given).arguments
        environ = os.environ if told["env"] is None else told["env"]
        if not _can_be_forked(told, environ):
            function(self, *given)
            return
        streams = [told["p2cread"], told["c2pwrite"], told["errwrite"]]
        self.pid = FORK_SERVER.fork(
            [os.fspath(word) for word in told["args"][1:]],
            folder=os.path.abspath(told["cwd"] or "."),  # noqa: PTH100 - links stay as they are
            environ=dict(environ),
            streams=[number if end == -1 else end for number, end in enumerate(streams)],
            new_session=told["start_new_session"],
        )
        self._child_created = True
        self._close_pipe_fds(  # type: ignore[attr-defined]
            *(told[f"{name}"] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite")),
            told["errread"],
            told["errwrite"],
        )


def run(
    command: Sequence[str | Path],
    *,
    input: str | bytes | None = None,  # noqa: A002 - the name that it has in subprocess
    timeout: float,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a process to its end, as ``subprocess.run`` does with ``check=False``."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, **options) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


class ForkServer:
    """The server, which is started when the first process is asked of it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()

    def fork(
        self,
        arguments: Sequence[str],
        *,
        folder: str,
        environ: Mapping[str, str],
        streams: Sequence[int],
        new_session: bool = False,
        executable: str = sys.executable,
    ) -> int:
        """Fork a process and return its number; it is a child of this process.

        It takes ``executable`` for the interpreter that it runs in.
        """
        made = [list(arguments), folder, dict(environ), new_session, executable]
        request = json.dumps(made).encode()
        with self._lock:
            connection = self._connection or self._start()
            with _adopting():
                socket.send_fds(connection, [len(request).to_bytes(4, "big")], list(streams))
                connection.sendall(request)
                size = int.from_bytes(receive(connection, 4), "big")
                answer = json.loads(receive(connection, size))
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]), folder)
        return int(answer["pid"])

    def end(self) -> None:
        """End the server, if it runs."""
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.wait(timeout=30)
            self._process = self._connection = None

    def _start(self) -> socket.socket:
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_SERVER), str(theirs.fileno())],
                env={"PATH": os.environ["PATH"], "LANG": LOCALE},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return self._connection


FORK_SERVER: Final = ForkServer()
"""The server of this process; ``tests/conftest.py`` ends it."""


def _can_be_forked(told: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    command = told["args"]
    if isinstance(command, str | bytes | os.PathLike):
        return False
    plain = not told["shell"] and not told["pass_fds"] and told["preexec_fn"] is None
    return plain and is_forkable(command, environ)


def is_forkable(command: Sequence[Any], environ: Mapping[str, str]) -> bool:
    """Whether a command is one for our own interpreter that its start has no part in."""
    program, first = (*command, "", "")[:2]
    kept = {
        name: text
        for name, text in environ.items()
        if name.startswith(_READ_AT_START) and name != "PYTHON"
    }
    option = str(first).startswith("-") and first not in {"-c", "-m", "-I"}
    return (
        sys.platform == "linux"
        and program == sys.executable
        and bool(first)
        and not option
        and kept == {"LANG": LOCALE}
    )


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    # While this holds, the kernel gives this process the orphans among its descendants.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def receive(connection: socket.socket, size: int) -> bytes:
    """Receive so many octets; raises ConnectionError if there are fewer."""
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise ConnectionError("the fork server has gone")
        content += part
    return content
