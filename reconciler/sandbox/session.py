"""A run of the sandbox: started and ended by a ``with`` statement, described by its session."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import SandboxError
from reconciler.sandbox.accounts import SandboxAccounts, Spoken, username_key
from reconciler.sandbox.derivation import accounts_of
from reconciler.sandbox.journal import SandboxLog
from reconciler.sandbox.own_state import own_state
from reconciler.sandbox.references import CA_FILE, CONNECT_TO, STATE
from reconciler.sandbox.run import Run
from reconciler.sandbox.seed import prepare_folder, read_seed, write_certificate
from reconciler.sandbox.tokens import Tokens
from reconciler.wording import install_extra

if TYPE_CHECKING:
    from types import TracebackType

    from reconciler.model.application import Application
    from reconciler.model.connector import Connector, Security
    from reconciler.sandbox.servers import Servers

INSTALL_HINT = install_extra("sandbox")


class ServedEndpoint(Struct, frozen=True):
    """A replaced server (``host``, ``port``), and its replacement (``address``, ``local_port``)."""

    protocol: Spoken
    host: str
    port: int
    security: Security
    address: str
    local_port: int
    connectors: tuple[str, ...]

    @property
    def connect_to(self) -> str:
        """The redirection as ``--connect-to`` takes it: ``HOST:PORT=ADDR:PORT``."""
        return f"{_bracketed(self.host)}:{self.port}={_bracketed(self.address)}:{self.local_port}"


@dataclass(frozen=True, slots=True)
class Session:
    """A running sandbox. ``environment`` are the variables that a command needs to use it.

    ``web_address`` is where a browser shows the mailboxes, if it does. ``state`` is its own as long as it runs.
    ``journal`` is filled in while the servers run, and may be read at any time, after the run too.
    """

    folder: Path
    state: Path
    environment: Mapping[str, str] = field(repr=False)
    endpoints: tuple[ServedEndpoint, ...]
    journal: SandboxLog = field(repr=False)
    web_address: str | None = field(repr=False)
    _accounts: SandboxAccounts = field(repr=False)
    _tokens: Tokens = field(repr=False)

    @property
    def export_lines(self) -> tuple[str, ...]:
        """The environment as lines for a POSIX shell. They hold the made-up passwords."""
        return tuple(
            f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()
        )

    def issue_token(self, username: str) -> str:
        """Issue an OAuth 2.0 access token that signs this user in by XOAUTH2 on every server."""
        readers = (reader.account for reader in self._accounts.readers)
        submitters = (submitter.account for submitter in self._accounts.submitters)
        key = username_key(username)
        return self._tokens.issue(
            account for account in (*readers, *submitters) if account.username == key
        )


class Sandbox:
    """Stands in for the servers of the connectors while the ``with`` block runs.

    ``folder`` is created if missing and keeps the seed of the made-up secrets and the state, with a
    separate state for each sandbox that runs there at the same time; ``base`` is where relative paths
    in ``file:`` references start. The passwords of ``applications`` are made up too. With ``web``, a
    browser shows the mailboxes.

    Entering raises SandboxError if the extra is not installed, the folder cannot be used, or a
    connector's server cannot be replaced.
    """

    def __init__(
        self,
        connectors: tuple[Connector, ...],
        folder: Path,
        *,
        applications: tuple[Application, ...] = (),
        base: Path | None = None,
        web: bool = False,
    ) -> None:
        self._connectors = connectors
        self._applications = applications
        self._folder = folder.absolute()
        self._base = Path.cwd() if base is None else base
        self._web = web
        self._running = ExitStack()

    def __enter__(self) -> Session:
        prepare_folder(self._folder)
        seed = read_seed(self._folder)
        journal, tokens = SandboxLog(), Tokens()
        with ExitStack() as stack:
            with _extra():
                accounts = accounts_of(
                    self._connectors, seed, base=self._base, applications=self._applications
                )
                servers = _servers(accounts, tokens, journal, web=self._web)
            stack.callback(servers.close)
            state = stack.enter_context(own_state(self._folder))
            certificate = write_certificate(self._folder, servers.certificate)
            stack.callback(certificate.unlink, missing_ok=True)
            run = Run("sandbox", servers.run)
            stack.callback(run.end)
            addresses = run.start()
            self._running.callback(stack.pop_all().close)
        endpoints = tuple(
            ServedEndpoint(
                listener.protocol,
                listener.host,
                listener.port,
                listener.security,
                address,
                local_port,
                listener.connectors,
            )
            for listener, (address, local_port) in zip(accounts.listeners, addresses, strict=True)
        )
        environment = {name: secret.reveal() for name, secret in accounts.exports} | {
            CONNECT_TO: " ".join((*(endpoint.connect_to for endpoint in endpoints), "*")),
            CA_FILE: str(certificate),
            STATE: f"sqlite:///{state}",
        }
        return Session(
            self._folder,
            state,
            MappingProxyType(environment),
            endpoints,
            journal,
            servers.web_address,
            accounts,
            tokens,
        )

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.close()


@contextmanager
def _extra() -> Iterator[None]:
    """Say what to install if a package of the extra is missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        raise SandboxError(
            f"the sandbox needs {package}, which is not installed", hint=INSTALL_HINT
        ) from None


def _servers(
    accounts: SandboxAccounts, tokens: Tokens, journal: SandboxLog, *, web: bool
) -> Servers:
    from reconciler.sandbox.servers import Servers  # noqa: PLC0415 - heavy, and an extra

    try:
        return Servers(accounts, tokens, journal, web=web)
    except OSError as error:
        raise SandboxError(f"the sandbox cannot listen on loopback: {error.strerror}") from None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
