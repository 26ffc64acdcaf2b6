"""What a connector says about its own connections: authorities, the name for EHLO, the time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.connection.access import Access
from reconciler.connection.account import accounts
from reconciler.connection.account_secrets import AccountSecrets
from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.session import new_session
from reconciler.mail.oauth import AuthlibTokens
from reconciler.model.connector import Security
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.secrets.registry import Resolver
from reconciler.sending.message import Message
from reconciler.values import replace
from tests.servers.accounts import ADA, ARCHIVE, SUPPORT
from tests.servers.postfix import RELAY
from tests.servers.site import connector_for, reads, relays, sends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.app.mailer import Mailer
    from reconciler.probe.result import ConnectorResult
    from tests.servers.authority import Authority
    from tests.servers.mailboxes import Mailboxes
    from tests.servers.site import Site

pytestmark = pytest.mark.server

DOCUMENT = f"""\
kind: EmailConnector
name: printer
ehlo_name: druckerei.bücher.example
enable_mail_send_from: true
smtp: {{server: {RELAY}, port: 587, use_ssl: true, sign_in: none, email_address: {ARCHIVE.username}}}
"""


def test_only_its_own_connector_trusts_an_authority(mail_site: Site) -> None:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT), smtp=sends(SUPPORT))
    options = replace(mail_site.options, ca_file=None, base=str(mail_site.certificate.parent))
    failures = mail_site.probe(connector, options).failures
    assert {why.error_class for _, _, why in failures} == {ErrorClass.CERT_UNTRUSTED}
    own = replace(connector, ca_file=mail_site.certificate.name)
    assert mail_site.probe(own, options).passed
    assert not mail_site.probe(connector, options).passed


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem"])
def test_a_file_without_an_authority_is_the_connectors_fault(
    mail_site: Site, tmp_path: Path, name: str
) -> None:
    (tmp_path / "empty.pem").write_text("secret text\n")
    connector = replace(connector_for(SUPPORT, smtp=sends(SUPPORT)), ca_file=name)
    result = mail_site.probe(connector, replace(mail_site.options, base=str(tmp_path)))
    ((_, stage, why),) = result.failures
    assert (stage.stage, why.error_class) == (Stage.TLS, ErrorClass.CONFIG_INVALID)
    assert name in why.cause
    assert "secret text" not in why.cause


def test_the_server_is_greeted_with_the_name_that_is_set(
    apply: Callable[..., None], mailer: Mailer, mailboxes: Mailboxes
) -> None:
    apply(DOCUMENT)
    message = Message(to=(ADA.username,), subject="Paper is out", text="Please refill.")
    sent = mailer.send(message, connector="printer")
    mail = mailboxes.one(ADA, "INBOX", sent.message_id)
    assert b"from druckerei.xn--bcher-kva.example " in mail


def test_the_time_limit_of_a_connector_comes_before_that_of_all(mail_site: Site) -> None:
    connector = replace(connector_for(SUPPORT, smtp=sends(SUPPORT)), timeout_seconds=3)
    (account,) = accounts(connector)
    access = Access(mail_site.resolver, AuthlibTokens(mail_site.resolver), mail_site.options)
    session = new_session(account, AccountSecrets(account, access), mail_site.options)
    assert 2 < session.deadline.remaining() <= 3


def shows(mail_site: Site, certificate: str, key: str = "") -> ConnectorResult:
    """Test the door that asks for a certificate, with this certificate and key."""
    smtp = replace(
        relays(Security.IMPLICIT, host=RELAY, port=465),
        client_certificate=SecretRef("env", "CLIENT_CERTIFICATE"),
        client_key=SecretRef("env", "CLIENT_KEY") if key else None,
    )
    environ = {"CLIENT_CERTIFICATE": certificate, "CLIENT_KEY": key}
    resolver = Resolver(environ, allow_command=False, base=mail_site.certificate.parent)
    (result,) = run((connector_for(SUPPORT, smtp=smtp),), resolver, mail_site.options)
    return result


@pytest.mark.parametrize("together", [True, False])
def test_a_server_is_shown_the_certificate_that_it_asks_for(
    mail_site: Site, authority: Authority, *, together: bool
) -> None:
    certificate, key = authority.client("printer.contoso.example")
    result = shows(mail_site, certificate + key) if together else shows(mail_site, certificate, key)
    assert result.passed, result.failures


def test_a_server_that_asks_for_a_certificate_is_reported(mail_site: Site) -> None:
    smtp = relays(Security.IMPLICIT, host=RELAY, port=465)
    result = mail_site.probe(connector_for(SUPPORT, smtp=smtp))
    ((_, _, why),) = result.failures
    assert "client certificate" in why.cause
    assert "`client_certificate`" in why.remedy
    assert not result.unreachable


def test_an_invalid_certificate_or_key_is_reported_without_repeating_it(
    mail_site: Site, authority: Authority
) -> None:
    certificate, _ = authority.client("printer.contoso.example")
    _, other = authority.client("other.contoso.example")
    for first, key in ((certificate, ""), (certificate, other), ("nonsense", "nonsense too")):
        ((_, stage, why),) = shows(mail_site, first, key).failures
        assert (stage.stage, why.error_class) == (Stage.TLS, ErrorClass.CONFIG_INVALID)
        assert "client certificate cannot be used" in why.cause
        assert "nonsense" not in repr(why)
        assert "BEGIN" not in repr(why)
