"""An interpreter that has everything imported, and forks one process for each command it is sent.

Run as a script by ``tests/interpreter.py``, with the descriptor of a socket as its argument. What it forks
is a process like any other: with arguments, environment, working directory, streams, signals and exit status
of its own. It spares the half second that an interpreter takes to import SQLAlchemy, pydantic and the rest.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import tempfile
import time
import types
from dataclasses import dataclass
from typing import Any, Final, NoReturn

LIBRARIES: Final = (
    "alembic.command",
    "click._textwrap",
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.ascii",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
)
"""Modules that libraries import when they are first used."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command to run: what follows the interpreter on the command line, and where."""

    arguments: tuple[str, ...]
    folder: str
    environ: dict[str, str]
    new_session: bool
    executable: str


def import_everything() -> None:
    """Import the package, and of its libraries what is installed."""
    import reconciler

    found = [module.name for module in pkgutil.walk_packages(reconciler.__path__, "reconciler.")]
    for name in (*found, *LIBRARIES):
        if name.endswith("__main__") or "migrations" in name:  # programs, not modules
            continue
        with contextlib.suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what all processes share is not looked through by any of them


def serve(connection: socket.socket) -> Request:
    """Fork for each request. Returns in the forked processes alone."""
    while True:
        header, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
        if not header:
            os._exit(0)
        content = b""
        size = int.from_bytes(header, "big")
        while len(content) < size:
            content += connection.recv(size - len(content))
        told = json.loads(content)
        request = Request(tuple(told[0]), *told[1:])
        reading, writing = os.pipe()
        between = os.fork()
        if not between:
            # An orphan becomes the client's child (see ``_adopting`` there), which can then wait for it.
            parent = os.getpid()
            if os.fork():
                os._exit(0)
            while os.getppid() == parent:
                time.sleep(0.0005)
            connection.close()
            os.close(reading)
            _begin(request, descriptors, writing)
            return request
        for descriptor in (*descriptors, writing):
            os.close(descriptor)
        with open(reading, "rb") as answer:  # noqa: PTH123 - a descriptor
            started = answer.read()
        os.waitpid(between, 0)
        connection.sendall(len(started).to_bytes(4, "big") + started)


def _begin(request: Request, descriptors: list[int], answer: int) -> None:
    # All that the kernel knows of a process is set before the client hears of it, as with an exec.
    try:
        if request.new_session:
            os.setsid()
        os.chdir(request.folder)
    except OSError as error:
        os.write(answer, json.dumps({"errno": error.errno}).encode())
        os._exit(1)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.write(answer, json.dumps({"pid": os.getpid()}).encode())
    os.close(answer)


def become(request: Request) -> None:
    """Set what an interpreter sets at its start, and run the command."""
    os.environ.clear()
    os.environ.update(request.environ)
    time.tzset()
    tempfile.tempdir = None
    _open_streams()
    sys.executable = request.executable
    sys.orig_argv = [sys.executable, *request.arguments]
    option, *arguments = request.arguments
    isolated = option == "-I"
    if isolated:
        option, *arguments = arguments
    if option == "-c":
        code, *arguments = arguments
        sys.argv = ["-c", *arguments]
        _search_in(None if isolated else "")
        _run(code, "<string>")
    elif option == "-m":
        module, *arguments = arguments
        sys.argv = ["-m", *arguments]
        _search_in(None if isolated else request.folder)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [option, *arguments]
        script = os.path.abspath(option)  # noqa: PTH100 - links stay as they are
        _search_in(None if isolated else os.path.dirname(os.path.realpath(option)))  # noqa: PTH120
        with open(script, "rb") as file:  # noqa: PTH123
            source = file.read()
        _run(source, script, __file__=script)


def _run(code: str | bytes, name: str, **variables: str) -> None:
    main = types.ModuleType("__main__")
    main.__dict__.update(variables)
    sys.modules["__main__"] = main
    exec(compile(code, name, "exec"), main.__dict__)


def _search_in(folder: str | None) -> None:
    # The first entry of the path was the folder of this file.
    sys.path[:1] = [] if folder is None else [folder]


def _open_streams() -> None:
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        binary: Any = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115
        binary.raw.name = f"<{name}>"
        was = getattr(sys, name)
        stream: Any = io.TextIOWrapper(
            binary,
            encoding=was.encoding,
            errors=was.errors,
            newline="\n",
            line_buffering=name == "stderr" or os.isatty(number),
        )
        stream.mode = "w" if number else "r"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


class Ending:
    """The end of a process without the last step: tearing down every module costs more than most commands.

    Threads have been waited for, and the other ``atexit`` functions have run, when this one is called.
    """

    def __init__(self) -> None:
        self.status: int | None = None

    def __call__(self) -> None:
        """End the process with its status, once one is known."""
        if self.status is None:  # an exception, whose traceback and status are the interpreter's
            return
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None and not stream.closed:
                    stream.flush()
            except OSError:  # the interpreter tries again, complains, and has a status for it
                return
        os._exit(self.status & 0xFF)


def main() -> NoReturn:
    """Serve until the client goes."""
    ending = Ending()
    atexit.register(ending)  # the first to be registered is called last
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client, which then goes
    import_everything()
    try:
        become(serve(socket.socket(fileno=int(sys.argv[1]))))
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            ending.status = error.code or 0
        raise
    ending.status = 0
    sys.exit()


if __name__ == "__main__":
    main()
