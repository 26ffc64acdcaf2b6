"""The place of one attack: a state, a folder for each person who works on it, and the processes there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests import interpreter
from tests.chaos.faulty_link import FaultyLink, LinkFault
from tests.chaos.offices import connect_to, documents
from tests.chaos.plans import CUT, DELAY, LATE_COMMIT, POSTGRESQL, SIGNALS
from tests.functional.conftest import Home
from tests.sentinels import FINGERPRINT_KEY
from tests.servers.late_commit import LateCommit
from tests.servers.loopback import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType

    from tests.chaos.offices import Office
    from tests.chaos.plans import AttackPlan
    from tests.servers.postgresql import Postgresql

ATTACKED: Final = Path(__file__).with_name("attacked.py")
LEASE: Final = 2.0
"""Seconds of a lease, so that one that a killed process left is soon over."""

HANGS: Final = 90
"""Seconds after which a process that has not ended hangs."""

PASSWORD: Final = "wbr3N-7hq2-Lx0v-pine"
"""The password of the application that sends through the gateway."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What a target takes without an attack: calls, those before its mark, seconds, octets by link."""

    calls: int
    marked: int
    seconds: float
    octets: dict[str, dict[bool, int]]


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended: who ran what, how it ended, and what it said."""

    actor: str
    command: tuple[str, ...]
    status: int
    out: str
    err: str
    attacked: bool

    @property
    def last_line(self) -> str:
        """The last line on standard error."""
        return (self.err.splitlines() or [""])[-1]


@dataclass(slots=True)
class Started:
    """A process that runs; its output goes to files, so that it never waits for a reader."""

    actor: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    said: Path
    attacked: bool
    aims: list[threading.Thread] = field(default_factory=list)

    def end(self) -> Ended:
        """Wait for its end; raises TimeoutExpired if it hangs."""
        status = self.process.wait(HANGS)
        for aim in self.aims:
            aim.join()
        out, err = (
            self.said.with_suffix(end).read_text("utf-8", "replace") for end in (".out", ".err")
        )
        return Ended(self.actor, self.command, status, out, err, self.attacked)


class Strike:
    """An attack on one process, or the measurement of what it takes

    without one. Without a plan, it only counts.
    """

    def __init__(self, plan: AttackPlan | None, usual: Usual | None, mark: str = "") -> None:
        self.plan, self.usual, self.mark = plan, usual, mark
        self.links: dict[str, FaultyLink] = {}
        self.counts: Path | None = None

    @property
    def at(self) -> int:
        """At which call the process sends itself the signals; 0 for never."""
        plan, usual = self.plan, self.usual
        if plan is None or usual is None or plan.attack not in SIGNALS or not plan.counted:
            return 0
        first = usual.marked if plan.late else 0
        return first + int(plan.share * (usual.calls - first)) + 1

    @property
    def numbers(self) -> tuple[signal.Signals, ...]:
        """The signals."""
        return SIGNALS.get(self.plan.attack, ()) if self.plan is not None else ()

    def fault(self, link: str) -> LinkFault | None:
        """What happens on a connection."""
        plan, usual = self.plan, self.usual
        if plan is None or usual is None or plan.attack not in {CUT, DELAY} or plan.link != link:
            return None
        octets = usual.octets.get(link, {}).get(plan.upwards, 0)
        pause = plan.pause if plan.attack == DELAY else 0.0
        return LinkFault(plan.upwards, int(plan.share * octets), pause=pause, reset=plan.reset)

    def aim(self, process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> threading.Thread:
        """Send the signals from outside at their time, and let a stopped process continue."""
        thread = threading.Thread(target=self._signal, args=(process,))
        thread.start()
        return thread

    def _signal(self, process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
        plan, usual = self.plan, self.usual
        if plan is None or usual is None or not self.numbers:
            return
        if not self.at:
            with suppress(subprocess.TimeoutExpired):
                process.wait(plan.share * usual.seconds)
            for number in self.numbers:
                process.send_signal(number)
        if signal.SIGSTOP in self.numbers:
            while process.poll() is None and not _stopped(process.pid):
                time.sleep(0.01)
            with suppress(subprocess.TimeoutExpired):
                process.wait(plan.pause)
            process.send_signal(signal.SIGCONT)


def _database(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


def _stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


class Ground:
    """``lead``, ``first`` and ``second`` work here, each in their own folder, on one state."""

    def __init__(
        self, folder: Path, office: Office, state: str, server: Postgresql | None, strike: Strike
    ) -> None:
        self.folder, self.office, self.state, self.server = folder, office, state, server
        self.strike = strike
        self.environ: dict[str, str] = {}
        self.homes = {name: self._home(name) for name in ("lead", "first", "second")}
        self.serial = 0
        self.origin = ""
        self.mails: dict[str, str] = {}
        self.ended: list[Ended] = []
        self._running: list[Started] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for started in self._running:
            if started.process.poll() is None:
                started.process.send_signal(signal.SIGCONT)
                started.process.kill()
            started.process.wait()
            for aim in started.aims:
                aim.join()
        self._stack.close()

    @property
    def lead(self) -> Home:
        """The folder from which the state is checked after the attack."""
        return self.homes["lead"]

    def address(self, actor: str) -> str:
        """Who that is in the state."""
        return f"{actor}@{self.office.domain}"

    def write(self, actor: str, label: str, *, save_sent: str = "never") -> None:
        """Make this the configuration in the folder of a user."""
        text = documents(self.office, label, save_sent=save_sent)
        self.homes[actor].write("connectors.yaml", text)

    def mail(self, number: int) -> str:
        """Write a mail of support@; returns the name of its file, which is in ``folder/mails``."""
        name = f"{number}.eml"
        seed = self.strike.plan.seed if self.strike.plan is not None else 0
        self.mails[name] = f"<chaos.{seed}.{number}.{os.getpid()}.{time.time_ns()}@chaos.example>"
        folder = self.folder / "mails"
        folder.mkdir(exist_ok=True)
        lines = (
            f"Message-ID: {self.mails[name]}",
            f"From: {self.address('support')}",
            f"To: {self.office.recipient}",
            f"Subject: chaos {number}",
            "",
            *["Hello."] * 40,
            "",
        )
        (folder / name).write_bytes("\r\n".join(lines).encode())
        return name

    def links(self) -> dict[str, str]:
        """Open the connections that the attacked process uses; returns its environment."""
        ports: dict[str, int] = {}
        for name, port in self.office.ports.items():
            ports[name] = self._link(name, port).port
        changed = {"RECONCILER_CONNECT_TO": connect_to(self.office, ports)}
        if self.server is not None:
            if self.strike.plan is not None and self.strike.plan.attack == LATE_COMMIT:
                late = self._stack.enter_context(LateCommit(self.server))
                late.arm()
                port = late.port
            else:
                port = self._link("state", self.server.socket).port
            changed["RECONCILER_STATE"] = (
                f"postgresql://tester@{LOOPBACK}:{port}/{_database(self.state)}?sslmode=disable"
            )
        return changed

    def start(self, actor: str, *command: str, attacked: bool, stdin: str = "") -> Started:
        """Start a command as a user, and attack it if it is the victim."""
        home, strike = self.homes[actor], self.strike
        environ = home.environ | (self.links() if attacked else {})
        said = self.folder / "said" / f"{len(self._running)}"
        said.parent.mkdir(exist_ok=True)
        settings = {
            "lease": LEASE,
            "at": strike.at if attacked else 0,
            "signals": list(strike.numbers),
            "mark": strike.mark,
            "counts": "",
        }
        if attacked and strike.plan is None and strike.mark:
            strike.counts = self.folder / "counts"
            settings["counts"] = str(strike.counts)
        with (
            said.with_suffix(".out").open("wb") as out,
            said.with_suffix(".err").open("wb") as err,
            Path(self.folder / "mails" / stdin if stdin else os.devnull).open("rb") as source,
        ):
            process = interpreter.Popen(
                [sys.executable, str(ATTACKED), json.dumps(settings), *command],
                cwd=home.folder, env=environ, stdin=source, stdout=out, stderr=err,
            )  # fmt: skip
        started = Started(self.address(actor), command, process, said, attacked)
        self._running.append(started)
        if attacked:
            started.aims.append(strike.aim(process))
        return started

    def finish(self, *started: Started) -> None:
        """Wait for processes, and note how they ended."""
        self.ended += [item.end() for item in started]

    def usual(self, seconds: float) -> Usual:
        """What the attacked process took."""
        counts = self.strike.counts
        calls, marked = json.loads(counts.read_text("ascii")) if counts else (0, 0)
        passed = {name: dict(link.passed) for name, link in self.strike.links.items()}
        return Usual(calls, marked, seconds, passed)

    def secrets(self) -> tuple[str, ...]:
        """The secrets, which must not be found anywhere."""
        return (*self.office.passwords.values(), PASSWORD, FINGERPRINT_KEY)

    def _link(self, name: str, target: int | Path) -> FaultyLink:
        link = self._stack.enter_context(FaultyLink(target, self.strike.fault(name)))
        self.strike.links[name] = link
        return link

    def _home(self, name: str) -> Home:
        folder = self.folder / name
        (folder / "connectors.d").mkdir(parents=True)
        (folder / "tmp").mkdir()
        home = Home(folder)
        home.environ |= {
            **self.office.passwords,
            "GRAFANA_SMTP_PASSWORD": PASSWORD,
            "RECONCILER_ACTOR": self.address(name),
            "RECONCILER_CA_FILE": str(self.office.ca_file),
            "RECONCILER_CONNECT_TO": connect_to(self.office, {}),
            "RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY,
            "RECONCILER_STATE": self.state,
            "TMPDIR": str(folder / "tmp"),
        }
        home.write("connectors.yaml", documents(self.office, "Support"))
        return home


class Templates:
    """A state of each store and office with one revision in it, to be copied for each attack."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, str], str] = {}
        self._number = 0

    def state(
        self, store: str, name: str, office: Office, server: Postgresql | None, folder: Path,
        *, empty: bool,
    ) -> str:  # fmt: skip
        """A new state in ``folder`` or of the server, with one revision or ``empty``; returns its URL."""
        self._number += 1
        if store != POSTGRESQL:
            path = folder / ".reconciler" / "state.db"
            if not empty:
                made = self.made(store, name, office, server)
                shutil.copytree(Path(made.removeprefix("sqlite:///")).parent, path.parent)
            return f"sqlite:///{path}"
        assert server is not None
        database = f"chaos_{os.getpid()}_{self._number}"
        made = "" if empty else self.made(store, name, office, server)
        origin = _database(made) if made else "template0"
        server.execute(f"CREATE DATABASE {database} TEMPLATE {origin}")
        return server.url_of("tester", database)

    def drop(self, url: str, server: Postgresql | None) -> None:
        """Remove a state of the server."""
        if server is not None:
            server.execute(f"DROP DATABASE IF EXISTS {_database(url)} WITH (FORCE)")

    def made(self, store: str, name: str, office: Office, server: Postgresql | None) -> str:
        """The URL of the state that is copied."""
        key = store, name
        if key not in self._made:
            folder = self._folder / f"{store}-{len(self._made)}"
            url = self.state(store, name, office, server, folder, empty=True)
            ground = Ground(folder, office, url, server, Strike(None, None))
            ground.lead.apply_untested()
            self._made[key] = url
        return self._made[key]
