"""The servers themselves, tested with the plain libraries: what the other tests rely on."""

from __future__ import annotations

import smtplib
import ssl
from typing import TYPE_CHECKING

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from tests.servers.accounts import ACCOUNTS, INFO, LOCAL_SENT, PAYROLL, PAYROLL_RELAY, SUPPORT
from tests.servers.authorisation import CALENDAR, EXPIRED, GOOD, SOMEBODY_ELSE
from tests.servers.loopback import LOOPBACK, wait_until
from tests.servers.postfix import DOORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.accounts import Account
    from tests.servers.authorisation import AuthorisationServer, Client
    from tests.servers.authority import Authority
    from tests.servers.dovecot import Dovecot
    from tests.servers.postfix import Postfix

pytestmark = pytest.mark.server


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.check_hostname = False  # the plain libraries check the name 127.0.0.1
    return context


@pytest.fixture
def client(dovecot: Dovecot, context: ssl.SSLContext) -> Iterator[IMAPClient]:
    client = IMAPClient(LOOPBACK, dovecot.tls_port, ssl_context=context, timeout=10)
    yield client
    client.shutdown()


def read_by(client: IMAPClient, account: Account) -> None:
    client.plain_login(account.username, account.password)


@pytest.mark.parametrize("account", ACCOUNTS[:5], ids=lambda account: account.name)
def test_dovecot_accepts_the_password_of_an_account(client: IMAPClient, account: Account) -> None:
    read_by(client, account)
    assert client.select_folder("INBOX", readonly=True)[b"EXISTS"] >= 0


def test_a_sent_folder_has_its_special_use_whatever_its_name(client: IMAPClient) -> None:
    read_by(client, INFO)
    flags = {name: flags for flags, _, name in client.list_folders()}
    assert b"\\Sent" in flags[LOCAL_SENT]


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_dovecot_accepts_a_valid_token(
    client: IMAPClient, authorisation: AuthorisationServer, mechanism: str
) -> None:
    token = authorisation.issue(GOOD)
    client.sasl_login(mechanism, lambda _: bearer(mechanism, SUPPORT, token))
    assert client.select_folder("INBOX", readonly=True)


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize(
    "known", [EXPIRED, CALENDAR, SOMEBODY_ELSE], ids=lambda known: known.client_id
)
def test_dovecot_refuses_any_other_token(
    client: IMAPClient, authorisation: AuthorisationServer, mechanism: str, known: Client
) -> None:
    answers = iter((bearer(mechanism, SUPPORT, authorisation.issue(known)), b""))
    with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
        client.sasl_login(mechanism, lambda _: next(answers))


def bearer(mechanism: str, account: Account, token: str) -> bytes:
    """The one message of both mechanisms (RFC 7628, and Google's page on XOAUTH2)."""
    head = (
        f"n,a={account.username},\x01"
        if mechanism == "OAUTHBEARER"
        else f"user={account.username}\x01"
    )
    return f"{head}auth=Bearer {token}\x01\x01".encode()


def test_wrong_passwords_are_counted_one_by_one(dovecot: Dovecot, client: IMAPClient) -> None:
    before = dovecot.failed_logins(PAYROLL.username)
    with pytest.raises(LoginError):
        client.login(PAYROLL.username, "wrong")
    assert dovecot.failed_logins(PAYROLL.username) == before + 1
    assert dovecot.failed_logins(PAYROLL.username) == before + 1


@pytest.mark.parametrize("account", [PAYROLL_RELAY, PAYROLL], ids=lambda account: account.name)
def test_a_mail_that_postfix_accepts_soon_reaches_the_inbox(
    postfix: Postfix, context: ssl.SSLContext, client: IMAPClient, account: Account
) -> None:
    port = postfix.ports[DOORS[0]]
    mail = f"From: {PAYROLL.username}\r\nSubject: by {account.name}\r\n\r\nSalaries.\r\n"
    with smtplib.SMTP_SSL(LOOPBACK, port, context=context, timeout=10) as session:
        session.login(account.username, account.password)
        session.sendmail(PAYROLL.username, [PAYROLL.username], mail)
    read_by(client, PAYROLL)
    client.select_folder("INBOX")
    subject = ["SUBJECT", f"by {account.name}"]
    wait_until(lambda: bool(client.noop() and client.search(subject)), "the mail is delivered")
