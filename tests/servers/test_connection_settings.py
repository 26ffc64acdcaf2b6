"""What a connector says about its own connections: authorities, the name for EHLO, the time limit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.access import Access
from reconciler.connection.account import accounts
from reconciler.connection.account_secrets import AccountSecrets
from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.session import new_session
from reconciler.mail.oauth import AuthlibTokens
from reconciler.sending.message import Message
from tests.servers.accounts import ADA, ARCHIVE, SUPPORT
from tests.servers.postfix import RELAY
from tests.servers.site import connector_for, reads, sends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.app.mailer import Mailer
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


def test_authorities_of_a_connector_are_trusted_by_it_and_by_no_other(mail_site: Site) -> None:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT), smtp=sends(SUPPORT))
    options = replace(mail_site.options, ca_file=None, base=str(mail_site.certificate.parent))
    failures = mail_site.probe(connector, options).failures
    assert {why.error_class for _, _, why in failures} == {ErrorClass.CERT_UNTRUSTED}
    own = replace(connector, ca_file=mail_site.certificate.name)
    assert mail_site.probe(own, options).passed
    assert not mail_site.probe(connector, options).passed


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem"])
def test_a_file_that_holds_no_authority_is_the_connectors_fault(
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
