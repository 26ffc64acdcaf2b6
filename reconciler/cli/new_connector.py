"""The options that describe a new connector, and the questions for missing ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

from reconciler.cli import completion
from reconciler.cli.terminal import ask, is_interactive
from reconciler.values import field_names

if TYPE_CHECKING:
    from reconciler.app.add import AddOptions, ConnectorFile
    from reconciler.cli.project import Project
    from reconciler.discovery.found import FoundServer, Lookup
    from reconciler.discovery.search import Network
    from reconciler.model.protocol import Protocol

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--from", "from_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
                 help="Take the settings of another program: .env, compose, spring.mail.*, msmtprc, a settings form or"
                 " autoconfig XML. Passwords are not copied."),
    click.option("--name", metavar="NAME", help="The connector's name. [default: made from the address]"),
    click.option("--provider", metavar="PROVIDER", shell_complete=completion.providers, help="Take the servers of this provider."),
    click.option("--imap", metavar="HOST[:PORT[:SECURITY]]",
                 help="The IMAP server; SECURITY is implicit or starttls. [default port: 993]"),
    click.option("--smtp", metavar="HOST[:PORT[:SECURITY]]",
                 help="The SMTP server. [default port: 465]"),
    click.option("--send/--no-send", default=True, show_default=True,
                 help="Allow mail to be sent through the connector."),
    click.option("--username", metavar="NAME",
                 help="The user name, or a reference to it. [default: as the provider requires, or the address]"),
    click.option("--password", metavar="REFERENCE",
                 help="Where the password is, such as file:/run/secrets/support; never the password itself."
                 " [default: a variable named after the connector]"),
    click.option("--client-id", metavar="ID",
                 help="Sign in with OAuth 2.0 as this application, if the provider supports it."),
    click.option("--discover/--no-discover", default=True, show_default=True,
                 help="Ask DNS and the address's domain for the servers. Otherwise only known providers are found."),
    click.option("--nameserver", metavar="ADDRESS[:PORT]", help="Ask this name server instead of the system's."),
    click.option("-y", "--yes", is_flag=True,
                 help="Ask nothing. Servers in another domain are refused; guessed ones become a draft."),
)  # fmt: skip


def connector_options(function: F) -> F:
    """Give a command the options of a new connector, and a `ConnectorChoices` in their place."""
    names = field_names(ConnectorChoices)

    @wraps(function)
    def command(**values: Any) -> Any:
        choices = ConnectorChoices(**{name: values.pop(name) for name in names})
        return function(choices=choices, **values)

    for option in reversed(_OPTIONS):
        option(command)
    return command  # type: ignore[return-value]


class ConnectorChoices(Struct, frozen=True, kw_only=True):
    """The values of these options."""

    from_file: Path | None
    name: str | None
    provider: str | None
    imap: str | None
    smtp: str | None
    send: bool
    username: str | None
    password: str | None
    client_id: str | None
    discover: bool
    nameserver: str | None
    yes: bool

    def options(self, address: str) -> AddOptions:
        """The choices for the connector of an address; raises UsageError."""
        from reconciler.app.add import AddOptions, server_given  # noqa: PLC0415 - as below
        from reconciler.errors import UsageError  # noqa: PLC0415 - as below
        from reconciler.model.protocol import Protocol  # noqa: PLC0415 - what costs is imported late
        from reconciler.model.secret_ref import SecretRef  # noqa: PLC0415 - as above

        try:
            password = None if self.password is None else SecretRef.parse(self.password)
        except ValueError:  # the text is most likely the password, so it is not shown
            raise UsageError(
                "--password takes a reference, never the password itself",
                hint="Write env:NAME or file:/path. If that was a password, it is in your shell's history now.",
            ) from None
        options = AddOptions(
            address=address,
            name=self.name,
            provider=self.provider,
            imap=None if self.imap is None else server_given(Protocol.IMAP, self.imap),
            smtp=None if self.smtp is None else server_given(Protocol.SMTP, self.smtp),
            send=self.send,
            username=self.username,
            password=password,
            client_id=self.client_id,
        )
        if self.from_file is None:
            return options
        from reconciler.app.add_from import take_over  # noqa: PLC0415 - as above

        options, remarks = take_over(self.from_file, options)
        for remark in remarks:
            click.echo(f"{self.from_file}:{remark.line}: {remark.text}", err=True)
        return options

    def network(self, project: Project) -> Network | None:
        """How to look for the servers; None to skip the search."""
        if not self.discover:
            return None
        import os  # noqa: PLC0415 - as above

        from reconciler.app.add import network_for  # noqa: PLC0415 - as above
        from reconciler.mail.dial import ConnectTo  # noqa: PLC0415 - as above
        from reconciler.model.connect_to import joined  # noqa: PLC0415 - as above

        standing = (os.environ.get("RECONCILER_CONNECT_TO", ""),)
        connect_to = ConnectTo.parse(joined(project.connect_to, standing))
        return network_for(connect_to, project.ca_file, _nameserver(self.nameserver))

    def questions(self) -> PersonAtTerminal | Nobody:
        """Who answers the open questions."""
        return Nobody() if self.yes or not is_interactive() else PersonAtTerminal()


def address_of(given: str | None, choices: ConnectorChoices) -> str:
    """The given address, or the one typed on a terminal; raises UsageError without a terminal."""
    if given is not None or choices.from_file is not None:
        return given or ""
    if choices.yes or not is_interactive():
        raise click.UsageError("ADDRESS is missing, and there is no terminal to ask for it.")
    return ask("Address of the mailbox").strip()


class Nobody:
    """The answers without a person: nothing unverified is trusted."""

    def trust(self, hosts: tuple[str, ...], domain: str) -> bool:
        """Trust no host of another domain."""
        del hosts, domain
        return False

    def confirm_guess(self, servers: tuple[FoundServer, ...]) -> bool:
        """Leave a guess unconfirmed, so that the connector becomes a draft."""
        del servers
        return False

    def server(self, protocol: Protocol) -> FoundServer | None:
        """Know no server."""
        del protocol
        return None

    def name(self, proposed: str) -> str:
        """Take the proposed name."""
        return proposed


class PersonAtTerminal:
    """Asks on standard error."""

    def trust(self, hosts: tuple[str, ...], domain: str) -> bool:
        """Ask whether hosts of another domain are right; only ``yes`` counts."""
        from reconciler.render.terminal import visible  # noqa: PLC0415 - only where it is asked

        names = ", ".join(map(visible, hosts))
        return _yes(
            f"{names} is not in {visible(domain)}. Does your provider name it? Only 'yes' will be accepted"
        )

    def confirm_guess(self, servers: tuple[FoundServer, ...]) -> bool:
        """Ask whether guessed servers are right; only ``yes`` counts."""
        for server in servers:
            click.echo(f"  {server}", err=True)
        return _yes(
            "These servers are a guess. Are they the right ones? Only 'yes' will be accepted;"
            " anything else writes a draft"
        )

    def server(self, protocol: Protocol) -> FoundServer | None:
        """Ask for a server until one can be read; an empty line means that there is none."""
        from reconciler.app.add import server_given  # noqa: PLC0415 - as above
        from reconciler.errors import UsageError  # noqa: PLC0415 - as above

        while True:
            text = ask(f"{protocol.upper()} server, HOST or HOST:PORT (empty: none)").strip()
            if not text:
                return None
            try:
                return server_given(protocol, text)
            except UsageError as error:
                click.echo(f"{error.message}. {error.hint}", err=True)

    def name(self, proposed: str) -> str:
        """Ask for the name."""
        return ask(f"Name of the connector [{proposed}]").strip() or proposed


def _yes(question: str) -> bool:
    return ask(question).strip() == "yes"


def show_lookup(lookup: Lookup) -> None:
    """Report the result of one search step on standard error."""
    from reconciler.render.terminal import visible  # noqa: PLC0415 - a search takes longer

    click.echo(f"{lookup.source}: {visible(lookup.answer)}", err=True)
    if lookup.found is not None:
        for server in lookup.found.servers:
            click.echo(f"  {visible(str(server))}", err=True)


def show_notes(file: ConnectorFile, project: Project) -> None:
    """Print the remaining steps for a new connector, and warnings."""
    from reconciler.render.human.diagnostics import diagnostics  # noqa: PLC0415 - as above

    for note in file.written.notes:
        click.echo(note)
    if file.warnings:
        click.echo(diagnostics(file.warnings, project.stderr_style()), err=True)
    for reference in file.written.references:
        if reference.scheme == "env":
            click.echo(f"Set {reference.target} to the secret.")


def _nameserver(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    from ipaddress import ip_address  # noqa: PLC0415 - rarely given

    address, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    try:
        ip_address(address)
        number = int(port)
    except ValueError:
        number = 0
    if not 0 < number <= 65535:  # noqa: PLR2004 - the highest port
        raise click.UsageError(
            f"invalid name server {text!r}: expected an IP address, or an IPv4 address and a port"
        )
    return address, number
