from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SandboxError
from reconciler.model.connector import Connector, Grant, MailServer, OAuth2, Security
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.sandbox.accounts import HTTPS, Listener, SandboxAccounts, Sender
from reconciler.sandbox.derivation import accounts_of
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.sandbox.seed import Seed


@pytest.fixture
def derive(seed: Seed) -> Callable[..., SandboxAccounts]:
    return lambda *connectors: accounts_of(connectors, seed, base=Path())


def test_a_connector_gets_a_listener_for_each_account_and_one_mailbox(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    smtp: Callable[..., MailServer],
) -> None:
    accounts = derive(connector(imap=imap(), smtp=smtp(), email_address="Support@contoso.example"))
    assert accounts.listeners == (
        Listener(Protocol.IMAP, "outlook.office365.com", 993, Security.IMPLICIT, ("support",)),
        Listener(Protocol.SMTP, "smtp.office365.com", 587, Security.STARTTLS, ("support",)),
    )
    (mailbox,) = accounts.mailboxes
    assert mailbox.addresses == ("support@contoso.example",)
    assert mailbox.folders == ("Sent", "Drafts", "Trash")
    (reader,), (submitter,) = accounts.readers, accounts.submitters
    assert reader.mailbox == mailbox.name
    assert submitter.senders == (Sender("support@contoso.example", None),)


def test_servers_that_are_the_same_in_another_spelling_share_a_listener(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
) -> None:
    accounts = derive(
        connector("a", imap=imap("a@x.example", server="Mail.example")),
        connector("b", imap=imap("b@x.example", server="mail.EXAMPLE")),
    )
    (listener,) = accounts.listeners
    assert listener.host == "mail.example"
    assert listener.connectors == ("a", "b")
    assert len(accounts.mailboxes) == 2


def test_drafts_incomplete_accounts_and_disabled_sending_are_left_out(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    smtp: Callable[..., MailServer],
) -> None:
    accounts = derive(
        connector("draft", imap=imap(), smtp=smtp(), draft=True),
        connector("incomplete", imap=replace(imap(), server=None)),
        connector("without-secret", imap=imap(password=None)),
        replace(connector("silent", smtp=smtp()), enable_mail_send_from=False),
    )
    assert accounts.listeners == ()
    assert accounts.mailboxes == ()


def test_separate_smtp_credentials_lead_to_the_mailbox_of_the_connector(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    smtp: Callable[..., MailServer],
) -> None:
    accounts = derive(
        connector(
            "payroll",
            imap=imap("payroll", "env:READ", server="mail.corp.example"),
            smtp=smtp("relay", "env:SEND", server="relay.corp.example"),
            email_address="payroll@corp.example",
            files_sent_copies=True,
        )
    )
    (mailbox,) = accounts.mailboxes
    assert mailbox.addresses == ("payroll@corp.example",)
    (submitter,) = accounts.submitters
    assert submitter.username == "relay"
    assert submitter.senders == (Sender("payroll@corp.example", mailbox.name),)
    assert accounts.readers[0].credentials.passwords != submitter.credentials.passwords


def test_connectors_that_share_an_account_at_a_relay_keep_mailboxes_of_their_own(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    smtp: Callable[..., MailServer],
) -> None:
    accounts = derive(
        *(
            connector(
                name,
                imap=imap(f"{name}@x.example", f"env:{name}"),
                smtp=smtp("apikey", "env:RELAY"),
                email_address=f"{name}@x.example",
                files_sent_copies=True,
            )
            for name in ("a", "b")
        )
    )
    (submitter,) = accounts.submitters
    assert len(accounts.mailboxes) == 2
    assert {sender.address: sender.copies_to for sender in submitter.senders} == {
        address: mailbox.name for mailbox in accounts.mailboxes for address in mailbox.addresses
    }


def test_the_same_user_at_the_same_host_is_one_account_with_every_password(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    seed: Seed,
) -> None:
    accounts = derive(
        connector("a", imap=imap(password="env:ONE")),
        connector("b", imap=imap(password="env:TWO")),
        connector("c", imap=imap(password="env:TWO")),
    )
    (reader,) = accounts.readers
    assert len(accounts.mailboxes) == 1
    assert list(reader.credentials.passwords) == [
        seed.password(SecretRef("env", name)) for name in ("ONE", "TWO")
    ]


@pytest.mark.parametrize(
    ("reading", "sending"),
    [
        (("no-reply@x.example", "imap.x.example"), ("key", "smtp.x.example")),
        (("no-reply", "mail.x.example"), ("no-reply", "mail.x.example")),
    ],
    ids=["by address", "by user and host"],
)
def test_a_connector_that_only_sends_shares_the_mailbox_of_who_reads_its_mail(
    reading: tuple[str, str],
    sending: tuple[str, str],
    *,
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    smtp: Callable[..., MailServer],
) -> None:
    accounts = derive(
        connector(
            "out", smtp=smtp(sending[0], server=sending[1]), email_address="no-reply@x.example"
        ),
        connector("in", imap=imap(reading[0], server=reading[1])),
    )
    (mailbox,) = accounts.mailboxes
    assert "no-reply@x.example" in mailbox.addresses


def test_a_connector_that_only_sends_has_a_mailbox_all_the_same(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    smtp: Callable[..., MailServer],
) -> None:
    accounts = derive(connector(smtp=smtp("apikey"), email_address="news@x.example"))
    (mailbox,) = accounts.mailboxes
    assert mailbox.addresses == ("news@x.example",)
    assert accounts.readers == ()


def test_a_user_without_any_address_gets_one_from_user_and_host(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
) -> None:
    (mailbox,) = derive(connector(imap=imap("door", server="mail.x.example"))).mailboxes
    assert mailbox.addresses == ("door@mail.x.example",)


def test_the_sent_folder_of_a_connector_is_there(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
) -> None:
    (mailbox,) = derive(connector(imap=imap(), sent_folder="Gesendete Objekte")).mailboxes
    assert mailbox.sent_folder == "Gesendete Objekte"
    assert mailbox.folders == ("Gesendete Objekte", "Drafts", "Trash")


@pytest.mark.parametrize(
    ("sent_folder", "folders"),
    [("INBOX", ("Sent", "Drafts", "Trash")), ("Trash", ("Trash", "Drafts"))],
)
def test_a_sent_folder_that_is_there_anyway_is_not_made_twice(
    sent_folder: str,
    folders: tuple[str, ...],
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
) -> None:
    (mailbox,) = derive(connector(imap=imap(), sent_folder=sent_folder)).mailboxes
    assert mailbox.sent_folder == sent_folder
    assert mailbox.folders == folders


def test_one_host_and_port_cannot_be_two_servers(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
) -> None:
    with pytest.raises(SandboxError) as raised:
        derive(
            connector("a", imap=imap(security=Security.IMPLICIT)),
            connector("b", imap=imap(security=Security.STARTTLS)),
        )
    assert "EmailConnector.a" in raised.value.message
    assert "EmailConnector.b" in raised.value.message
    assert "outlook.office365.com:993" in raised.value.message


def test_oauth2_gets_a_token_endpoint_that_knows_the_application(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    seed: Seed,
) -> None:
    reference = SecretRef("env", "CLIENT_SECRET")
    oauth2 = OAuth2(
        grant=Grant.CLIENT_CREDENTIALS,
        client_id="app",
        client_secret=reference,
        token_endpoint="https://Login.contoso.example/tenant/token",
        scopes=("mail",),
    )
    accounts = derive(
        connector("a", imap=replace(imap("a@contoso.example", None), oauth2=oauth2)),
        connector("b", imap=replace(imap("b@contoso.example", None), oauth2=oauth2)),
    )
    assert all(reader.credentials.passwords == () for reader in accounts.readers)
    assert accounts.exports == (("CLIENT_SECRET", seed.password(reference)),)
    (application,) = accounts.applications
    place = ("login.contoso.example", 443)
    assert (application.host, application.port, application.path) == (*place, "/tenant/token")
    assert application.client_secret == seed.password(reference)
    assert application.accounts == tuple(reader.account for reader in accounts.readers)
    (endpoint,) = (item for item in accounts.listeners if item.protocol == HTTPS)
    assert (endpoint.host, endpoint.port, endpoint.connectors) == (*place, ("a", "b"))


def test_a_service_account_is_an_application_for_each_mailbox_that_it_acts_for(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
) -> None:
    oauth2 = OAuth2(
        grant=Grant.JWT_BEARER,
        service_account_key=SecretRef("env", "KEY"),
        token_endpoint="https://oauth2.example/token",
    )
    accounts = derive(
        *(
            connector(name, imap=replace(imap(f"{name}@contoso.example", None), oauth2=oauth2))
            for name in ("a", "b")
        )
    )
    assert [(item.subject, len(item.accounts)) for item in accounts.applications] == [
        ("a@contoso.example", 1),
        ("b@contoso.example", 1),
    ]


def test_a_token_endpoint_cannot_be_where_a_mail_server_is(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
) -> None:
    oauth2 = OAuth2(
        grant=Grant.REFRESH_TOKEN,
        client_id="app",
        refresh_token=SecretRef("env", "REFRESH"),
        token_endpoint="https://outlook.office365.com:993/token",
    )
    with pytest.raises(SandboxError, match="would have to be two servers"):
        derive(connector(imap=replace(imap(password=None), oauth2=oauth2)))


def test_no_password_is_in_the_text_of_the_accounts(
    derive: Callable[..., SandboxAccounts],
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    seed: Seed,
) -> None:
    accounts = derive(connector(imap=imap()))
    assert seed.password(SecretRef("env", "SUPPORT")).reveal() not in repr(accounts)
