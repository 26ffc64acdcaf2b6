"""A user's folder, and the command line as its user has it."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

import pytest

from reconciler.cli.main import main
from reconciler.config.load import load
from reconciler.sandbox.session import Sandbox
from tests import interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.sandbox.session import Session

EXAMPLE: Final = Path(__file__).parents[2] / "connectors.d"
"""The shipped example."""

LEAD: Final = "mail-lead@contoso.example"
"""An Administrator of the shipped example."""

PASSWORD_AT_MICROSOFT: Final = """\
kind: EmailConnector
name: archive
provider: microsoft365
imap:
  username: archive@contoso.example
  password: env:ARCHIVE_PASSWORD
"""
"""A connector that is valid, and that is warned about: Microsoft 365 takes no passwords."""

DEADLINE: Final = 60


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything, for a message that may go either way."""
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class _Applied:
    """What an apply said, and the files that it left, with their modes."""

    done: Done
    left: dict[str, tuple[int, bytes]]


_LEFT: Final = {".reconciler/.gitignore", ".reconciler/fingerprint.key", ".reconciler/state.db"}
"""The files that a first apply leaves."""

_APPLIED: Final[dict[str, _Applied]] = {}
"""What was applied, by everything that it depended on: the arguments, the environment and the files."""


_MADE: Final[dict[str, dict[str, tuple[int, bytes]]]] = {}
"""The files that something left, with their modes, by all that it depended on."""


def _files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


class Home:
    """A folder with ``connectors.d/``, and a clean environment to run commands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "RECONCILER_ALLOW_CREDENTIAL": "*",
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "RECONCILER_ACTOR": LEAD,
        }
        # Coverage of the commands that run as processes of their own.
        self.environ |= {key: text for key, text in os.environ.items() if key.startswith("COV")}

    @property
    def untraced(self) -> dict[str, str]:
        """The environment for what coverage would disturb: full disks, and who loads which module."""
        return {key: text for key, text in self.environ.items() if not key.startswith("COV")}

    @property
    def config(self) -> Path:
        """The folder of the connectors."""
        return self.folder / "connectors.d"

    @property
    def state(self) -> Path:
        """The file of the stored state."""
        return self.folder / ".reconciler" / "state.db"

    def __call__(self, *arguments: str, **environ: str) -> Done:
        """Run a command in this process."""
        return self.run_in(self.folder, *arguments, **environ)

    def run_in(self, folder: Path, *arguments: str, **environ: str) -> Done:
        """Run a command in this process, in another working folder."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environ | environ, clear=True),
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = main(list(arguments))
        return Done(int(status), out.getvalue(), err.getvalue())

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own, without a terminal."""
        return self._start(interpreter.Popen, arguments, environ)

    def run(self, *arguments: str, **environ: str) -> Done:
        """Run a command as a process of its own, without a terminal."""
        return _done(self.start(*arguments, **environ))

    def run_interpreter(self, *arguments: str, **environ: str) -> Done:
        """Do the same by an interpreter of its own, for what shows in its start or in its arguments."""
        return _done(self._start(subprocess.Popen, arguments, environ))

    def _start(
        self,
        popen: type[subprocess.Popen[str]],
        arguments: tuple[str, ...],
        environ: dict[str, str],
    ) -> subprocess.Popen[str]:
        return popen(
            [sys.executable, "-m", "reconciler", *arguments],
            cwd=self.folder,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def write(self, name: str, text: str) -> Path:
        """Write a file of the configuration, or one beside it (``../reconciler.yaml``)."""
        path = self.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in a file of the configuration."""
        path = self.config / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def remove(self, name: str) -> None:
        """Delete a file of the configuration."""
        (self.config / name).unlink()

    def apply_untested(self, *arguments: str) -> Done:
        """Apply without asking any server.

        The first apply in a folder like an earlier one copies what that one left behind.
        """
        files = _files_of(self.folder)
        told = self._likeness(arguments, files)
        first = not (self.folder / ".reconciler").exists()
        if first and (earlier := _APPLIED.get(told)) is not None:
            self._write(earlier.left)
            return earlier.done
        done = self("apply", "--auto-approve", "--skip-tests", "no servers here", *arguments)
        assert done.status == 0, done.said
        found = _files_of(self.folder)
        left = {name: found[name] for name in found.keys() - files.keys()}
        # Elsewhere, or if the output contains the folder, two applies differ.
        if first and left.keys() == _LEFT and str(self.folder) not in told + done.said:
            _APPLIED[told] = _Applied(done, left)
        return done

    def once(self, make: Callable[[Home], None]) -> None:
        """Do something to this folder, or copy what it left of a folder like this one."""
        before = _files_of(self.folder)
        told = self._likeness((make.__module__, make.__qualname__), before)
        if (earlier := _MADE.get(told)) is None:
            make(self)
            after = _files_of(self.folder)
            assert before.keys() <= after.keys(), "nothing may be deleted"
            _MADE[told] = {name: file for name, file in after.items() if before.get(name) != file}
            return
        self._write(earlier)

    def _likeness(self, what: tuple[str, ...], files: dict[str, tuple[int, bytes]]) -> str:
        """What something in this folder depends on, as a text to compare."""
        environ = {name: text for name, text in self.environ.items() if name != "HOME"}
        return repr((what, sorted(environ.items()), sorted(files.items())))

    def _write(self, files: dict[str, tuple[int, bytes]]) -> None:
        for name, (mode, content) in files.items():
            path = self.folder / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(content)
            path.chmod(mode)

    def redirect(self, host: str, port: int, to: int) -> None:
        """Connect to a port of loopback in place of what the environment says of a server."""
        entries = self.environ.get("RECONCILER_CONNECT_TO", "").split()
        kept = [entry for entry in entries if not entry.startswith(f"{host}:{port}=")]
        assert len(kept) == len(entries) - 1
        self.environ["RECONCILER_CONNECT_TO"] = " ".join([*kept, f"{host}:{port}=127.0.0.1:{to}"])

    def local_port(self, host: str, port: int) -> int:
        """The port of loopback at which a server is stood in for."""
        for entry in self.environ["RECONCILER_CONNECT_TO"].split():
            name, _, place = entry.partition("=")
            if name == f"{host}:{port}":
                return int(place.rpartition(":")[2])
        raise KeyError(host, port)


def _done(started: subprocess.Popen[str]) -> Done:
    with started as process:
        try:
            out, err = process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Done(process.returncode, out, err)


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    """A folder with an empty ``connectors.d/``."""
    folder = tmp_path / "home"
    (folder / "connectors.d").mkdir(parents=True)
    return Home(folder)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A folder with the shipped example, and nothing that it could connect to."""
    folder = tmp_path / "home"
    shutil.copytree(EXAMPLE, folder / "connectors.d")
    return Home(folder)


@pytest.fixture(scope="session")
def example_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The sandbox for the shipped example, shared by all tests."""
    snapshot = load(EXAMPLE).snapshot
    assert snapshot is not None
    with Sandbox(snapshot.connectors, tmp_path_factory.mktemp("sandbox")) as session:
        yield session


def live_home(folder: Path, session: Session) -> Home:
    """Make a folder with the shipped example, its servers, and a state of its own."""
    shutil.copytree(EXAMPLE, folder / "connectors.d")
    home = Home(folder)
    home.environ |= session.environment
    del home.environ["RECONCILER_STATE"]
    return home


@pytest.fixture
def live(tmp_path: Path, example_session: Session) -> Home:
    """A folder with the shipped example, its servers, and a state of its own."""
    return live_home(tmp_path / "home", example_session)


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Mount something on a folder for as long as the block lasts; skips the test where that is not permitted."""
    folder.mkdir(exist_ok=True)
    try:
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip("mounting is not permitted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=400k", "tmpfs") as folder:
        yield folder


def fill(disk: Path) -> Path:
    """Fill a disk to the last octet with one file, which is returned."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return ballast
