"""Programs that shells call: files that look like the interpreter under test, or like a command of it.

What a test runs itself is forked by ``tests/interpreter.py``. What a shell or another program runs cannot be, since
the command is that program's child. So it finds a file here that asks the test's process to have the command
forked, hands over its streams, passes signals on, and ends as the command ends. Where that process could not be
forked, or a stream is missing, the file becomes the interpreter.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import signal
import socket
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Final

from tests import interpreter

_PROGRAM: Final = """\
#!{python} -IS
import marshal, os, signal, socket, sys

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
words = {arguments!r} + sys.argv[1:]


def ask():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect({place!r})
        request = marshal.dumps([words, os.getcwd(), dict(os.environ), {executable!r}])
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(request)
        answers = connection.makefile("rb")
        process = int(answers.readline())
        if not process:
            return
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: os.kill(process, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        status = int(answers.readline())
    if status >= 0:
        os._exit(status)
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)


try:
    for stream in (0, 1, 2):
        os.fstat(stream)
except OSError:
    pass
else:
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    ask()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
os.execv({python!r}, [{python!r}, *words])
"""


def write_program(path: Path, *arguments: str) -> None:
    """Write a program that does what the interpreter under test does with ``arguments`` and those it is given.

    As in a virtual environment, what it runs finds its interpreter beside it: the program ``python`` there, if
    there is one.
    """
    beside = path.with_name("python")
    executable = beside if beside == path or beside.exists() else sys.executable
    text = _PROGRAM.format(
        python=sys.executable,
        place=_place(),
        arguments=list(arguments),
        executable=str(executable),
    )
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@cache
def folder_of_programs() -> str:
    """A folder with ``reconciler`` and ``python``, for the beginning of a PATH."""
    folder = Path(_place()).parent / "bin"
    folder.mkdir()
    write_program(folder / "python")
    write_program(folder / "reconciler", "-m", "reconciler")
    return str(folder)


@cache
def _place() -> str:
    # Not in pytest's folder: the path of a socket may have 107 bytes.
    folder = tempfile.TemporaryDirectory(prefix="programs-")
    _KEPT.append(folder)
    listener = socket.socket(socket.AF_UNIX)
    place = f"{folder.name}/socket"
    listener.bind(place)
    listener.listen(64)
    threading.Thread(target=_listen, args=[listener], daemon=True).start()
    return place


_KEPT: Final[list[tempfile.TemporaryDirectory[str]]] = []
"""Removed when this process ends."""


def _listen(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=[connection], daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection:
        header, streams, _, _ = socket.recv_fds(connection, 4, 3)
        try:
            size = int.from_bytes(header, "big")
            content = interpreter.receive(connection, size)
            words, folder, environ, executable = marshal.loads(content)
            if not interpreter.is_forkable([sys.executable, *words], environ):
                connection.sendall(b"0\n")
                return
            process = interpreter.FORK_SERVER.fork(
                words, folder=folder, environ=environ, streams=streams, executable=executable
            )
        finally:
            for stream in streams:
                os.close(stream)
        with contextlib.suppress(OSError):  # the requester is gone
            connection.sendall(b"%d\n" % process)
        status = _status(process, connection)
        with contextlib.suppress(OSError):
            connection.sendall(b"%d\n" % status)


def _status(process: int, connection: socket.socket) -> int:
    """Wait for a process, and end it if the requester goes."""
    watched = os.pidfd_open(process)
    try:
        waiting = select.poll()
        waiting.register(watched, select.POLLIN)
        waiting.register(connection, select.POLLIN)
        if watched not in dict(waiting.poll()):
            os.kill(process, signal.SIGKILL)
    finally:
        os.close(watched)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
