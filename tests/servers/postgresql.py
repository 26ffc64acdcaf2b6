"""A PostgreSQL of the tests' own: on a Unix socket, and on a port of loopback with and without TLS."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.servers.loopback import LOOPBACK, free_port, wait_until
from tests.servers.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST: Final = "db.contoso.example"
"""The name in the server's certificate; URLs say with ``hostaddr`` that it is on loopback."""

ROOT: Final = "postgres"
"""The user to start the server as if the tests run as root, which PostgreSQL refuses."""

# Clients on the socket are trusted; clients over TCP have to sign in.
_SIGN_IN: Final = """
local  all  all                trust
host   all  cleartext    127.0.0.1/32  password
host   all  all          127.0.0.1/32  scram-sha-256
local  replication all         trust
"""


def postgresql_programs() -> Path | None:
    """The folder of the server's programs; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


class Postgresql:
    """A running server. ``folder`` must be short: the path of a socket may have 107 bytes."""

    def __init__(self, programs: Path, folder: Path, *, copy_of: Postgresql | None = None) -> None:
        self.programs = programs
        self.folder = folder
        self.port = free_port()
        self._data = folder / "data"
        self._run_as: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(folder, ROOT)
            self._run_as = [
                "setpriv", f"--reuid={ROOT}", f"--regid={ROOT}", "--clear-groups",
            ]  # fmt: skip
        self.certificate: Path = copy_of.certificate if copy_of else folder / "ca.pem"
        if copy_of is None:
            self._run("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C",
                      "--no-sync", "-D", str(self._data))  # fmt: skip
            (self._data / "pg_hba.conf").write_text(_SIGN_IN, encoding="ascii")
            self._certify()
        else:
            self._run("pg_basebackup", "-h", str(copy_of.folder), "-p", str(copy_of.port),
                      "-U", "tester", "-c", "fast", "--no-sync", "--write-recovery-conf",
                      "-D", str(self._data))  # fmt: skip
        self._process: ServerProcess | None = None
        self.start()

    @property
    def pid(self) -> int:
        """The number of its first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """The URL of the server for its superuser, on the socket."""
        return self.url_of("tester")

    @property
    def socket(self) -> Path:
        """The Unix socket that it listens on."""
        return self.folder / f".s.PGSQL.{self.port}"

    def url_of(self, user: str, database: str = "postgres") -> str:
        """The URL of the server for a user on the socket, where no password is needed."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def tcp_url(self, user: str, database: str = "postgres", *, host: str = HOST, tls: str) -> str:
        """The URL of the server for a user over TCP; ``tls`` holds the parameters for TLS."""
        return f"postgresql://{user}@{host}:{self.port}/{database}?hostaddr={LOOPBACK}&{tls}"

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": self.folder,
            # The tests crash the server but not the machine, and query no large tables.
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "jit": "off",
            "logging_collector": "on",
            "log_directory": self.folder,
            "log_filename": "log",
            "max_connections": 120,
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self._process = ServerProcess(
            *self._run_as, str(self.programs / "postgres"), "-D", str(self._data), *options
        )
        wait_until(self._answers, "PostgreSQL takes connections", seconds=30)

    def stop(self) -> None:
        """End the server at once, and every connection with it."""
        if self._process is not None:
            self._process.end(signal.SIGQUIT)
            self._process = None

    def restart(self) -> None:
        """End the server and every connection with it, and start it again."""
        self.stop()
        self.start()

    def start_again(self) -> None:
        """Start the server if a test has left it ended."""
        if self._process is None:
            self.start()

    def execute(self, *statements: str, url: str = "") -> list[Any]:
        """Run statements as the superuser, each on its own; returns the rows of the last."""
        import psycopg

        rows: list[Any] = []
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            for statement in statements:
                done = connection.execute(statement)
                rows = done.fetchall() if done.description else []
        return rows

    def clear(self, roles: Iterable[str] = ()) -> None:
        """Drop the state, and roles with everything they own and were granted."""
        self.execute("DROP SCHEMA IF EXISTS reconciler CASCADE")
        for role in roles:
            if self.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                self.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    def _answers(self) -> bool:
        import psycopg

        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=2).close()
            return True
        return False

    def _certify(self) -> None:
        import trustme

        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.certificate))
        issued = authority.issue_cert(HOST)
        for name, parts in (
            ("server.key", [issued.private_key_pem]),
            ("server.crt", issued.cert_chain_pems),
        ):
            path = self._data / name
            path.touch(mode=0o600)
            path.write_bytes(b"".join(part.bytes() for part in parts))
            if self._run_as:
                shutil.chown(path, ROOT)
        with (self._data / "postgresql.conf").open("a", encoding="ascii") as file:
            file.write("ssl = on\n")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._run_as, str(self.programs / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            timeout=60,
        )
