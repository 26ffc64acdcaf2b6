"""Adding a connector: its settings are found or given, and its file is written if it validates."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

from reconciler.app.atomic_file import create_wholly
from reconciler.app.new_connector import (
    ConnectorText,
    NewConnector,
    name_for,
    write_document,
)
from reconciler.app.project_folder import SCHEMA
from reconciler.app.schemas import modeline
from reconciler.config.build import IMPLICIT_PORTS, STARTTLS_PORTS
from reconciler.config.declared import declared
from reconciler.config.load import built_in_providers, load
from reconciler.config.settings import DEFAULTS, Settings
from reconciler.config.suggest import did_you_mean
from reconciler.discovery.found import FoundServer, FoundSettings, Source, settings_of
from reconciler.discovery.providers import of_servers
from reconciler.discovery.search import Network, search
from reconciler.errors import ConfigurationInvalid, UsageError
from reconciler.model.address import Address, Kind
from reconciler.model.connector import Security
from reconciler.model.fields import ADDRESS_PATTERN, NAME_PATTERN, USERNAME_PATTERN
from reconciler.model.protocol import Protocol as MailProtocol
from reconciler.values import replace
from reconciler.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.app.workspace import Workspace
    from reconciler.diagnostics import Diagnostic
    from reconciler.discovery.found import Lookup
    from reconciler.mail.dial import ConnectTo
    from reconciler.model.provider import Provider
    from reconciler.model.secret_ref import SecretRef

_ADDRESS: Final = re.compile(ADDRESS_PATTERN.strip("^$"))
_NAME: Final = re.compile(NAME_PATTERN.strip("^$"))
_USERNAME: Final = re.compile(USERNAME_PATTERN.strip("^$"))


class Questions(Protocol):
    """Answers the questions that the options leave open; without a person, always cautiously."""

    def trust(self, hosts: tuple[str, ...], domain: str) -> bool:
        """Whether to trust servers outside the domain of the address."""
        ...

    def confirm_guess(self, servers: tuple[FoundServer, ...]) -> bool:
        """Whether the guessed servers are correct."""
        ...

    def server(self, protocol: MailProtocol) -> FoundServer | None:
        """Ask for the server of a protocol when none was found.

        None without a server or a person.
        """
        ...

    def name(self, proposed: str) -> str:
        """The name of the connector."""
        ...


class AddOptions(Struct, frozen=True, kw_only=True):
    """The options for a new connector; None for each that was not given."""

    address: str
    name: str | None = None
    provider: str | None = None
    imap: FoundServer | None = None
    smtp: FoundServer | None = None
    send: bool = True
    username: str | None = None
    password: SecretRef | None = None
    client_id: str | None = None
    from_name: str | None = None
    anonymous: bool = False
    source: Source = Source.OPTIONS

    def check(self) -> None:
        """Raise UsageError for a value that no document may contain."""
        if not _ADDRESS.fullmatch(self.address):
            raise UsageError(
                f"invalid address {self.address!r}", hint="Write it like support@example.com."
            )
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise UsageError(
                f"invalid name {self.name!r}",
                hint="Use lower-case letters, digits and hyphens, beginning with a letter.",
            )
        if self.username is not None and not _USERNAME.fullmatch(self.username):
            raise UsageError("invalid user name", hint="It holds no blanks, commas or brackets.")
        if self.provider is not None and (self.imap or self.smtp):
            raise UsageError("--provider goes with neither --imap nor --smtp")


class ConnectorFile(Struct, frozen=True):
    """A file for a new connector, not written yet, with its warnings."""

    path: Path
    name: str
    domain: str
    written: ConnectorText
    warnings: tuple[Diagnostic, ...]


class Surroundings(Struct, frozen=True):
    """Where a new connector goes: its folder, the existing configuration, and how to search.

    ``problems`` are the existing problems of the configuration.
    """

    root: Path
    home: Path
    taken: dict[Address, str]
    providers: tuple[Provider, ...]
    network: Network | None
    has_schema: bool
    roots: tuple[Path, ...] = ()
    settings: Settings = DEFAULTS
    environment: str = ""
    within: Path | None = None
    problems: tuple[Diagnostic, ...] = ()

    @classmethod
    def of(cls, workspace: Workspace, network: Network | None) -> Surroundings:
        """Read the surroundings from a project; raises NoProject without one."""
        workspace.require_project()
        loaded = workspace.load()
        own = loaded.snapshot.providers if loaded.snapshot is not None else ()
        project = workspace.project
        return cls(
            project.roots[0],
            workspace.home,
            declared(project.roots, within=project.bounds_of_roots),
            (*own, *built_in_providers()),
            network,
            (workspace.home / SCHEMA).is_file(),
            project.roots,
            workspace.settings,
            workspace.environment,
            project.bounds_of_roots,
            loaded.diagnostics,
        )

    @classmethod
    def fresh(cls, root: Path, network: Network | None) -> Surroundings:
        """Make the surroundings for a project that is about to be created."""
        roots = (root,) if root.is_dir() else ()
        return cls(
            root,
            root.parent,
            declared(roots),
            built_in_providers(),
            network,
            has_schema=True,
            roots=roots,
            problems=load(*roots).diagnostics,
        )


def prepare(
    options: AddOptions,
    around: Surroundings,
    questions: Questions,
    observe: Callable[[Lookup], None],
) -> ConnectorFile:
    """Find the settings of an account and make the file for it, without writing anything.

    ``observe`` is called with each step of the search. Raises UsageError for a missing setting
    or a name that is taken, and ConfigurationInvalid if the new file would make the
    configuration invalid.
    """
    options.check()
    settings, decided = _settings(options, around, questions, observe)
    name = _name(options, around, questions)
    new = NewConnector(
        name=name,
        address=options.address,
        settings=settings,
        send=options.send,
        decided=decided,
        from_name=options.from_name,
        username=options.username,
        password=options.password,
        client_id=options.client_id,
    )
    return compose_file(new, around)


def compose_file(new: NewConnector, around: Surroundings) -> ConnectorFile:
    """Make the file for a connector; raises as :func:`prepare`."""
    _refuse_taken(new.name, around)
    path = _place(around.root, new.name)
    written = write_document(new, _modeline(around, path))
    domain = new.address.rpartition("@")[2]
    return ConnectorFile(path, new.name, domain, written, _problems(path, written.text, around))


def write(file: ConnectorFile) -> None:
    """Write the file; raises ReconcilerError if it exists by now or cannot be written."""
    create_wholly(file.path, file.written.text)


def _settings(
    options: AddOptions,
    around: Surroundings,
    questions: Questions,
    observe: Callable[[Lookup], None],
) -> tuple[FoundSettings, bool]:
    """The settings, and whether the servers were confirmed."""
    if options.imap or options.smtp:
        return _given(options, around), True
    if options.provider is not None:
        return settings_of(
            _provider(options.provider, around), Source.OPTIONS, options.address
        ), True
    found = None
    for lookup in search(options.address, around.providers, around.network):
        observe(lookup)
        found = lookup.found
    domain = options.address.rpartition("@")[2]
    if found is None:
        imap = questions.server(MailProtocol.IMAP)
        smtp = questions.server(MailProtocol.SMTP)
        if imap is None and smtp is None:
            raise UsageError(
                f"no settings were found for {domain}",
                hint="Name the servers with --imap HOST:PORT and --smtp HOST:PORT, or a --provider.",
            )
        return FoundSettings(source=Source.OPTIONS, imap=imap, smtp=smtp), True
    outside = found.outside(domain)
    if outside and not questions.trust(outside, domain):
        given = " ".join(_as_option(server) for server in found.servers)
        raise UsageError(
            f"{listed(outside)} is not in {domain}, so nothing was written",
            hint=f"If your provider names it, give the servers yourself: {given}",
        )
    guessed = found.source is Source.GUESS
    return found, bool(outside) or (guessed and questions.confirm_guess(found.servers))


def _given(options: AddOptions, around: Surroundings) -> FoundSettings:
    """The servers that were given; a provider's name if a file gives exactly its servers."""
    given = FoundSettings(
        source=options.source, imap=options.imap, smtp=options.smtp, anonymous=options.anonymous
    )
    provider = (
        of_servers(given.servers, around.providers) if options.source is Source.FILE else None
    )
    if provider is None or options.anonymous:
        return given
    known = settings_of(provider, options.source, options.address)
    return replace(known, imap=known.imap if options.imap else None)


def _as_option(server: FoundServer) -> str:
    return f"--{server.protocol} {server.host}:{server.port}:{server.security}"


def _provider(name: str, around: Surroundings) -> Provider:
    known = {item.name: item for item in reversed(around.providers)}
    if name not in known:
        hint = did_you_mean(name, known) or "docs/providers.md lists the built-in ones."
        raise UsageError(f"unknown provider {name!r}", hint=hint)
    return known[name]


def _name(options: AddOptions, around: Surroundings, questions: Questions) -> str:
    if options.name is not None:
        return options.name
    proposed = name_for(options.address)
    taken = {item.name for item in around.taken if item.kind is Kind.EMAIL_CONNECTOR}
    if proposed in taken:
        domain = re.sub(r"[^a-z0-9]+", "-", options.address.rpartition("@")[2].lower())
        proposed = f"{proposed}-{domain}"[:63].rstrip("-")
    chosen = questions.name(proposed)
    replace(options, name=chosen).check()
    return chosen


def _refuse_taken(name: str, around: Surroundings) -> None:
    place = around.taken.get(Address(Kind.EMAIL_CONNECTOR, name))
    if place is not None:
        raise UsageError(
            f"there is a connector {name} already, in {place}",
            hint="Choose another name with --name.",
        )


def _place(root: Path, name: str) -> Path:
    """An unused file for the connector; another document may already use its name."""
    for path in (root / f"{name}.yaml", root / f"{name}.connector.yaml"):
        if not os.path.lexists(path):
            return path
    raise UsageError(
        f"{root / name}.yaml exists, and nothing is overwritten",
        hint="Choose another name with --name, or move that file.",
    )


def _modeline(around: Surroundings, path: Path) -> str:
    return modeline(path.absolute(), around.home.absolute()) if around.has_schema else ""


def _problems(path: Path, text: str, around: Surroundings) -> tuple[Diagnostic, ...]:
    """The warnings that a file adds to the configuration.

    Raises ConfigurationInvalid if it adds errors.
    """
    with tempfile.TemporaryDirectory(prefix="reconciler-") as folder:
        beside = Path(folder, path.name)
        beside.write_text(text, encoding="utf-8")
        after = load(
            *around.roots,
            settings=around.settings,
            environment=around.environment,
            within=around.within,
            files=(beside,),
        ).diagnostics
        known = {(item.rule, item.message) for item in around.problems}
        added = [
            replace(item, file=str(path) if Path(item.file).name == beside.name else item.file)
            for item in after
            if (item.rule, item.message) not in known
        ]
    if any(item.is_error for item in added):
        raise ConfigurationInvalid(added)
    return tuple(added)


def network_for(
    connect_to: ConnectTo, ca_file: str | None, nameserver: tuple[str, int] | None
) -> Network:
    """How a search connects; if redirected, the system's name servers are off limits too."""
    from reconciler.discovery.dns import NameServer, Unasked  # noqa: PLC0415 - only for a search

    closed = connect_to.only and nameserver is None
    return Network(Unasked() if closed else NameServer(nameserver), connect_to, ca_file)


def server_given(protocol: MailProtocol, text: str) -> FoundServer:
    """Read ``HOST[:PORT[:SECURITY]]``.

    Raises UsageError if the port does not imply a security mode.
    """
    host, _, rest = text.partition(":")
    port_text, _, security_text = rest.partition(":")
    port = port_text or ("993" if protocol is MailProtocol.IMAP else "465")
    securities = {str(item): item for item in Security}
    usual = {
        **dict.fromkeys(map(str, IMPLICIT_PORTS), Security.IMPLICIT),
        **dict.fromkeys(map(str, STARTTLS_PORTS), Security.STARTTLS),
    }
    security = securities.get(security_text or usual.get(port, ""))
    if not host or not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):  # noqa: PLR2004
        raise UsageError(
            f"invalid server {text!r}", hint="Write HOST, HOST:PORT or HOST:PORT:SECURITY."
        )
    if security is None:
        raise UsageError(
            f"it is unknown how port {port} is encrypted",
            hint=f"Write {host}:{port}:implicit or {host}:{port}:starttls.",
        )
    return FoundServer(protocol, host, int(port), security)
