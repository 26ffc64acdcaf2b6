"""The servers under the names that connectors use, and the connectors themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Connector, MailServer, Security, SmtpSignIn
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.secrets.registry import Resolver
from tests.servers.accounts import ACCOUNTS, DOMAIN
from tests.servers.authority import ELSEWHERE, EXPIRED, UNTRUSTED
from tests.servers.dovecot import LOGIN_DISABLED, NO_STARTTLS
from tests.servers.loopback import LOOPBACK, free_port
from tests.servers.postfix import RELAY

if TYPE_CHECKING:
    from reconciler.probe.result import ConnectorResult
    from tests.servers.accounts import Account
    from tests.servers.authority import Authority
    from tests.servers.dovecot import Dovecot
    from tests.servers.postfix import Postfix

IMAP: Final = f"imap.{DOMAIN}"
SMTP: Final = f"smtp.{DOMAIN}"
MAIL: Final = f"mail.{DOMAIN}"
DOWN: Final = f"down.{DOMAIN}"
"""A host that nothing listens on."""

WRONG: Final = "WRONG_PASSWORD"

PORTS: Final = {
    ("imap", Security.IMPLICIT): 993,
    ("imap", Security.STARTTLS): 143,
    ("imap", Security.NONE): 143,
    ("smtp", Security.IMPLICIT): 465,
    ("smtp", Security.STARTTLS): 587,
    ("smtp", Security.NONE): 25,
}


@dataclass(frozen=True, slots=True)
class Site:
    """What a client needs to know: where the hosts are, which authority to trust, and the passwords.

    ``connect_to`` holds entries of ``--connect-to``, ``environ`` the accounts' passwords and, under
    the name WRONG, one that nobody has.
    """

    certificate: Path
    connect_to: tuple[str, ...]
    environ: Mapping[str, str] = field(
        default_factory=lambda: {
            WRONG: "no-one's password",
            **{account.variable: account.password for account in ACCOUNTS},
        },
        repr=False,
    )

    @property
    def options(self) -> ProbeOptions:
        """How the probes get here, without retries, so that a test sees the result of one attempt."""
        return ProbeOptions(
            connect_to=ConnectTo.parse(self.connect_to),
            ca_file=str(self.certificate),
            timeout=20.0,
            retries=0,
        )

    @property
    def resolver(self) -> Resolver:
        """A resolver that knows the passwords."""
        return Resolver(self.environ, allow_command=False, base=self.certificate.parent)

    def probe(self, connector: Connector, options: ProbeOptions | None = None) -> ConnectorResult:
        """Run the real probe of one connector."""
        (result,) = run((connector,), self.resolver, options or self.options)
        return result


def site_of(authority: Authority, dovecot: Dovecot, postfix: Postfix | None) -> Site:
    """Name the servers; without Postfix, the SMTP names lead nowhere."""
    entries = (*_imap_doors(dovecot), *_closed_doors(), *(_smtp_doors(postfix) if postfix else ()))
    return Site(authority.certificate, tuple(f"{name}={place}" for name, place in entries))


def _imap_doors(dovecot: Dovecot) -> Iterator[tuple[str, str]]:
    for host in (IMAP, MAIL, EXPIRED, UNTRUSTED, ELSEWHERE):
        yield f"{host}:993", f"{LOOPBACK}:{dovecot.tls_port}"
    for host in (IMAP, EXPIRED, UNTRUSTED, ELSEWHERE):
        yield f"{host}:143", f"{LOGIN_DISABLED}:{dovecot.starttls_port}"
    yield f"{MAIL}:143", f"{NO_STARTTLS}:{dovecot.starttls_port}"


def _smtp_doors(postfix: Postfix) -> Iterator[tuple[str, str]]:
    for door, port in postfix.ports.items():
        yield f"{door.host}:{door.port}", f"{LOOPBACK}:{port}"
        if door.host == SMTP:
            yield f"{ELSEWHERE}:{door.port}", f"{LOOPBACK}:{port}"


def _closed_doors() -> Iterator[tuple[str, str]]:
    closed = free_port()
    for port in (993, 465):
        yield f"{DOWN}:{port}", f"{LOOPBACK}:{closed}"


def reads(
    account: Account,
    security: Security = Security.IMPLICIT,
    *,
    host: str = IMAP,
    port: int | None = None,
    password: str = "",
) -> MailServer:
    """The IMAP account of a connector for this account. ``password`` names another variable."""
    return _account(account, security, host, port or PORTS["imap", security], password)


def sends(
    account: Account,
    security: Security = Security.IMPLICIT,
    *,
    host: str = SMTP,
    port: int | None = None,
    password: str = "",
) -> MailServer:
    """The SMTP account of a connector for this account. ``password`` names another variable."""
    return _account(account, security, host, port or PORTS["smtp", security], password)


def relays(
    security: Security = Security.STARTTLS, *, host: str = RELAY, port: int | None = None
) -> MailServer:
    """The SMTP account of a connector that sends without a sign-in."""
    return MailServer(
        server=host,
        port=port or PORTS["smtp", security],
        security=security,
        sign_in=SmtpSignIn.NONE,
    )


def _account(
    account: Account, security: Security, host: str, port: int, password: str
) -> MailServer:
    return MailServer(
        server=host,
        port=port,
        security=security,
        allow_cleartext_auth=security is Security.NONE,
        username=account.username,
        password=SecretRef("env", password or account.variable),
    )


def connector_for(
    account: Account,
    *,
    imap: MailServer | None = None,
    smtp: MailServer | None = None,
    email_address: str | None = None,
    sent_folder: str | None = None,
) -> Connector:
    """A connector with these accounts; with SMTP it sends, by default as the account."""
    return Connector(
        name=account.name,
        display_name=account.name,
        imap=imap,
        smtp=smtp,
        enable_mail_send_from=smtp is not None,
        email_address=email_address or account.username if smtp else None,
        sent_folder=sent_folder,
    )
