"""Test mail: out through Postfix, in through LMTP, found and removed over IMAP at Dovecot."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import pytest
from imapclient import IMAPClient

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.mail.testmail import HEADER
from reconciler.model.connector import SaveSent
from reconciler.model.protocol import Protocol
from reconciler.probe.result import StageOutcome
from reconciler.values import replace
from tests.servers.accounts import ACCOUNTS, INFO, PAYROLL, PAYROLL_RELAY, UNICODE
from tests.servers.loopback import LOOPBACK, wait_until
from tests.servers.site import WRONG, connector_for, reads, sends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.connection.options import ProbeOptions
    from reconciler.model.connector import Connector
    from reconciler.probe.result import ConnectorResult, StageResult
    from tests.servers.accounts import Account
    from tests.servers.authority import Authority
    from tests.servers.dovecot import Dovecot
    from tests.servers.postfix import Postfix
    from tests.servers.site import Site

pytestmark = pytest.mark.server

SENDER: Final = next(account for account in ACCOUNTS if account.name == "user-40")
READER: Final = next(account for account in ACCOUNTS if account.name == "user-41")


@pytest.fixture
def options(mail_site: Site) -> ProbeOptions:
    return replace(mail_site.options, depth=Stage.DELIVERY)


@pytest.fixture
def inbox(dovecot: Dovecot, authority: Authority) -> Iterator[Callable[[Account], IMAPClient]]:
    """Open the inbox of an account with IMAPClient alone."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.check_hostname = False  # the plain library checks the name 127.0.0.1
    opened: list[IMAPClient] = []

    def open_inbox(account: Account) -> IMAPClient:
        client = IMAPClient(LOOPBACK, dovecot.tls_port, ssl_context=context, timeout=10)
        opened.append(client)
        client.plain_login(account.username, account.password)
        client.select_folder("INBOX")
        return client

    yield open_inbox
    for client in opened:
        client.logout()


def delivery(result: ConnectorResult) -> StageResult:
    (found,) = (
        stage
        for protocol in result.protocols
        for stage in protocol.stages
        if stage.stage is Stage.DELIVERY
    )
    return found


def whole(account: Account) -> Connector:
    return replace(
        connector_for(account, imap=reads(account), smtp=sends(account)),
        save_sent=SaveSent.NEVER,
    )


@pytest.mark.parametrize("account", [INFO, UNICODE], ids=lambda account: account.name)
def test_a_mail_is_sent_found_and_removed(
    mail_site: Site,
    options: ProbeOptions,
    inbox: Callable[[Account], IMAPClient],
    account: Account,
) -> None:
    result = mail_site.probe(whole(account), options)
    assert result.failures == ()
    assert delivery(result).outcome is StageOutcome.OK
    assert delivery(result).detail.startswith(f"sent to {account.username}, found in the inbox ")
    assert delivery(result).detail.endswith(", removed")
    assert inbox(account).search() == []


def test_the_sending_user_may_differ_from_the_reading_one(
    mail_site: Site, options: ProbeOptions, inbox: Callable[[Account], IMAPClient]
) -> None:
    before = inbox(PAYROLL).search()
    connector = connector_for(
        PAYROLL, imap=reads(PAYROLL), smtp=sends(PAYROLL_RELAY), email_address=PAYROLL.username
    )
    result = mail_site.probe(connector, options)
    assert result.failures == ()
    assert "found in the inbox" in delivery(result).detail
    assert inbox(PAYROLL).search() == before


def test_what_somebody_else_has_marked_as_deleted_stays(
    mail_site: Site, options: ProbeOptions, inbox: Callable[[Account], IMAPClient]
) -> None:
    client = inbox(SENDER)
    client.append("INBOX", b"Subject: not ours\r\n\r\nkeep\r\n", flags=(b"\\Deleted",))
    assert "removed" in delivery(mail_site.probe(whole(SENDER), options)).detail
    client.select_folder("INBOX")
    assert len(client.search(["SUBJECT", "not ours"])) == 1
    assert client.search(["HEADER", HEADER, ""]) == []


def test_without_imap_it_is_sent_and_a_note_says_so(
    mail_site: Site, options: ProbeOptions, inbox: Callable[[Account], IMAPClient]
) -> None:
    result = mail_site.probe(connector_for(READER, smtp=sends(READER)), options)
    assert result.failures == ()
    assert delivery(result).detail == (
        f"sent to {READER.username}; not looked for, because the connector has no imap"
    )
    empty(inbox(READER))


def test_a_mailbox_of_another_address_is_not_read(
    mail_site: Site, options: ProbeOptions, inbox: Callable[[Account], IMAPClient]
) -> None:
    connector = replace(
        connector_for(SENDER, imap=reads(READER), smtp=sends(SENDER)), save_sent=SaveSent.NEVER
    )
    result = mail_site.probe(connector, options)
    assert result.failures == ()
    assert f"because imap reads the mailbox of {READER.username}" in delivery(result).detail
    empty(inbox(SENDER))


def test_a_mail_that_does_not_arrive_is_not_delivered(
    mail_site: Site, options: ProbeOptions, inbox: Callable[[Account], IMAPClient]
) -> None:
    connector = replace(
        connector_for(SENDER, imap=reads(READER), smtp=sends(SENDER)),
        save_sent=SaveSent.NEVER,
        use_same_credentials=True,
    )
    result = mail_site.probe(connector, replace(options, delivery_seconds=0.3))
    ((protocol, stage, failure),) = result.failures
    assert (protocol.protocol, stage.stage) == (Protocol.SMTP, Stage.DELIVERY)
    assert failure.error_class is ErrorClass.NOT_DELIVERED
    assert f"mail to {SENDER.username} was sent, but is not in the inbox of" in failure.cause
    assert READER.username in failure.cause
    assert "spam" in failure.remedy
    empty(inbox(SENDER))


def test_a_failing_connector_sends_nothing_and_does_not_sign_in_again(
    mail_site: Site, options: ProbeOptions, dovecot: Dovecot, postfix: Postfix
) -> None:
    failed, log = dovecot.failed_logins(INFO.username), len(postfix.settled_log())
    connector = replace(whole(INFO), imap=reads(INFO, password=WRONG))
    result = mail_site.probe(connector, options)
    assert [failure.error_class for _, _, failure in result.failures] == [ErrorClass.AUTH_REJECTED]
    assert delivery(result).outcome is StageOutcome.NOT_REACHED
    assert dovecot.failed_logins(INFO.username) == failed + 1
    assert "data=" not in postfix.settled_log()[log:]


def test_nothing_is_sent_unless_it_is_asked_for(mail_site: Site, postfix: Postfix) -> None:
    log = len(postfix.settled_log())
    result = mail_site.probe(whole(INFO))
    assert all(
        stage.stage is not Stage.DELIVERY
        for protocol in result.protocols
        for stage in protocol.stages
    )
    assert "data=" not in postfix.settled_log()[log:]


def empty(client: IMAPClient) -> None:
    """Wait for the one test mail, and remove it."""
    wait_until(lambda: bool(client.noop() and client.search(["HEADER", HEADER, ""])), "it arrives")
    client.delete_messages(client.search(["HEADER", HEADER, ""]))
    client.expunge()
