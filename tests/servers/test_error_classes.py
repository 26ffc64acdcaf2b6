"""Every error class has a server that produces it: a real one if possible.

A class that is added without a row here fails a test, and so does a row that produces another class.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Connector, Grant, OAuth2, SaveSent, Security
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.secrets.base import Secret, SecretResolver
from reconciler.values import replace
from tests.hostile.conftest import HOST, Passwords
from tests.hostile.conftest import connector_for as hostile_connector
from tests.hostile.scripts import smtp
from tests.hostile.server import HostileServer, Script
from tests.servers.accounts import ACCOUNTS, DOMAIN, FULL, LOCKED_OUT, SUPPORT
from tests.servers.authorisation import ENDPOINT, EXPIRED, GOOD, SECRET
from tests.servers.authority import ELSEWHERE, UNTRUSTED
from tests.servers.authority import EXPIRED as EXPIRED_HOST
from tests.servers.loopback import LOOPBACK
from tests.servers.postfix import BUSY, GONE
from tests.servers.site import DOWN, MAIL, SMTP, WRONG, Site, connector_for, reads, relays, sends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.authorisation import AuthorisationServer, Client

pytestmark = pytest.mark.server


@dataclass(frozen=True, slots=True)
class Bench:
    """All servers, and a stack for those that a case starts itself."""

    site: Site
    options: ProbeOptions
    stack: ExitStack


@dataclass(frozen=True, slots=True)
class Case:
    """What to test, how, and with which secrets."""

    connector: Connector
    options: ProbeOptions
    resolver: SecretResolver


Produce = Callable[[Bench], Case]


def real(bench: Bench, connector: Connector, **options: object) -> Case:
    """A test of a connector at the real servers."""
    asked = replace(bench.options, **options)  # type: ignore[arg-type]  # whatever the case wants
    return Case(connector, asked, bench.site.resolver)


def scripted(bench: Bench, script: Script) -> Case:
    """A test of sending at a server that follows a script, for what only Microsoft says."""
    server = bench.stack.enter_context(HostileServer(script))
    led = ConnectTo.parse([f"{HOST}:4711={LOOPBACK}:{server.port}"])
    connector = hostile_connector(Protocol.SMTP, Security.NONE)
    return Case(connector, ProbeOptions(timeout=5.0, connect_to=led), Passwords())


def with_token(bench: Bench, client: Client, *scopes: str) -> Case:
    """A test of a mailbox that is read with a token."""
    oauth2 = OAuth2(
        grant=Grant.CLIENT_CREDENTIALS,
        client_id=client.client_id,
        client_secret=SecretRef("env", "CLIENT_SECRET"),
        token_endpoint=ENDPOINT,
        scopes=scopes,
    )
    account = replace(reads(SUPPORT), password=None, oauth2=oauth2)
    return real(bench, connector_for(SUPPORT, imap=account))


def config_invalid(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT)), allowed_hosts=("*.other",))


def secret_missing(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT, password="NOWHERE")))


def dns(bench: Bench) -> Case:
    # A label has at most 63 characters, so no server is asked about this one.
    host = f"{'x' * 64}.{DOMAIN}"
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT, host=host)))


def refused(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT, host=DOWN)))


def timeout(bench: Bench) -> Case:
    mute = bench.stack.enter_context(socket.create_server((LOOPBACK, 0)))
    led = ConnectTo.parse([f"{DOWN}:993={LOOPBACK}:{mute.getsockname()[1]}"])
    connector = connector_for(SUPPORT, imap=reads(SUPPORT, host=DOWN))
    return real(bench, connector, connect_to=led, timeout=2.0)


def tls_mode_mismatch(bench: Bench) -> Case:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT, Security.IMPLICIT, port=143))
    return real(bench, connector)


def cert_untrusted(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT, host=UNTRUSTED)))


def cert_hostname(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT, host=ELSEWHERE)))


def cert_expired(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT, host=EXPIRED_HOST)))


def starttls_missing(bench: Bench) -> Case:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT, Security.STARTTLS, host=MAIL))
    return real(bench, connector)


def protocol(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, smtp=sends(SUPPORT, host=MAIL, port=993)))


def auth_mech_unavailable(bench: Bench) -> Case:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT, Security.STARTTLS, host=MAIL))
    return real(bench, connector)


def auth_rejected(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT, password=WRONG)))


def auth_basic_disabled(bench: Bench) -> Case:
    reply = "550 5.7.30 Basic authentication is not supported for Client Submission\r\n"
    return scripted(bench, smtp(AUTH=reply))


def smtp_auth_disabled(bench: Bench) -> Case:
    reply = (
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
        "Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.\r\n"
    )
    return scripted(bench, smtp(AUTH=reply))


def oauth_token(bench: Bench) -> Case:
    return with_token(bench, EXPIRED, "mail")


def oauth_scope(bench: Bench) -> Case:
    return with_token(bench, GOOD, "calendar")


def mailbox_not_connected(bench: Bench) -> Case:
    return real(bench, connector_for(LOCKED_OUT, imap=reads(LOCKED_OUT)))


def folder_missing(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, imap=reads(SUPPORT), sent_folder="Outgoing"))


def send_as_denied(bench: Bench) -> Case:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT), email_address=f"board@{DOMAIN}")
    return real(bench, connector)


def recipient_rejected(bench: Bench) -> Case:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT))
    return real(bench, replace(connector, test_recipient=GONE))


def rate_limited(bench: Bench) -> Case:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT))
    return real(bench, replace(connector, test_recipient=BUSY))


def quota(bench: Bench) -> Case:
    return real(bench, replace(connector_for(FULL, smtp=sends(FULL)), test_recipient=FULL.username))


def not_delivered(bench: Bench) -> Case:
    sender, reader = (item for item in ACCOUNTS if item.name in ("user-42", "user-43"))
    connector = connector_for(sender, imap=reads(reader), smtp=sends(sender))
    connector = replace(connector, save_sent=SaveSent.NEVER, use_same_credentials=True)
    return real(bench, connector, depth=Stage.DELIVERY, delivery_seconds=0.2)


def auth_required(bench: Bench) -> Case:
    return real(bench, connector_for(SUPPORT, smtp=relays(Security.IMPLICIT, host=SMTP, port=465)))


class Broken:
    """A resolver with a defect, which must not reveal what it knows."""

    def resolve(self, reference: SecretRef) -> Secret:
        raise RuntimeError(SECRET)


def internal(bench: Bench) -> Case:
    return Case(connector_for(SUPPORT, imap=reads(SUPPORT)), bench.options, Broken())


PRODUCED: Final[dict[ErrorClass, Produce]] = {
    ErrorClass(produce.__name__): produce
    for produce in (
        config_invalid, secret_missing, dns, refused, timeout, tls_mode_mismatch, cert_untrusted,
        cert_hostname, cert_expired, starttls_missing, protocol, auth_mech_unavailable, auth_rejected,
        auth_required, auth_basic_disabled, smtp_auth_disabled, oauth_token, oauth_scope, mailbox_not_connected,
        folder_missing, send_as_denied, recipient_rejected, rate_limited, quota, not_delivered, internal,
    )
}  # fmt: skip
SCRIPTED: Final = frozenset({ErrorClass.AUTH_BASIC_DISABLED, ErrorClass.SMTP_AUTH_DISABLED})
"""What only Microsoft says, and no server that can be installed here."""


@pytest.fixture
def bench(mail_site: Site, authorisation: AuthorisationServer) -> Iterator[Bench]:
    site = replace(
        mail_site,
        connect_to=(*mail_site.connect_to, authorisation.connect_to),
        environ={**mail_site.environ, "CLIENT_SECRET": SECRET},
    )
    with ExitStack() as stack:
        yield Bench(site, site.options, stack)


def test_every_error_class_has_a_server_that_produces_it() -> None:
    assert PRODUCED.keys() == set(ErrorClass)


@pytest.mark.parametrize("error_class", list(ErrorClass))
def test_each_is_produced_with_a_cause_and_a_remedy(bench: Bench, error_class: ErrorClass) -> None:
    case = PRODUCED[error_class](bench)
    (result,) = run((case.connector,), case.resolver, case.options)
    ((_, stage, failure),) = result.failures
    assert failure.error_class is error_class, (stage.stage, failure)
    assert failure.cause.endswith(".")
    assert failure.remedy.endswith(".")
    assert SECRET not in repr(result)
    assert result.unreachable is (error_class in {"dns", "refused", "timeout"})
    assert (case.options.connect_to.target(HOST, 4711)[0] == LOOPBACK) is (error_class in SCRIPTED)
