"""A user name that is kept like a secret: used as it is, and shown as the reference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.config.build import email_address_of
from reconciler.config.documents import TYPES
from reconciler.connection.access import Access
from reconciler.connection.account import Account, accounts
from reconciler.connection.account_secrets import AccountSecrets
from reconciler.connection.context import FailureContext
from reconciler.connection.diagnosis import classify
from reconciler.connection.failure import Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.credentials import BearerToken, Password
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Declined, Reply
from reconciler.model.address import Kind
from reconciler.model.connector import Grant, OAuth2
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import Snapshot, StoredState
from reconciler.model.validators import validator
from reconciler.plan.credentials import new_uses
from reconciler.secrets.base import Secret
from reconciler.values import replace
from tests.builders import connector, mail_server

if TYPE_CHECKING:
    from reconciler.model.connector import Connector

KEY: Final = "AKIAEXAMPLE7"
USER: Final = SecretRef("env", "SES_KEY")


class Vault:
    def resolve(self, reference: SecretRef) -> Secret:
        return Secret({"SES_KEY": KEY}.get(reference.target, "a password"))


class Tokens:
    def token(
        self, _oauth2: OAuth2, username: str, _deadline: Deadline, _ca_file: str | None = None
    ) -> Secret:
        return Secret(f"for {username}")

    def spent(self, _oauth2: OAuth2) -> str:
        return ""


def ses(**fields: Any) -> Connector:
    smtp = mail_server("ses", "smtp", username=str(USER), **fields)
    return connector("ses", imap=None, smtp=smtp, use_same_credentials=False)


def secrets(item: Connector) -> tuple[Account, AccountSecrets]:
    (account,) = accounts(item)
    found = AccountSecrets(account, Access(Vault(), Tokens(), ProbeOptions()))
    return account, found


def test_the_server_gets_the_user_name_behind_the_reference() -> None:
    _, found = secrets(ses())
    assert found.resolve() == "env:SES_KEY, env:SES_PASSWORD"
    credential = found.credential(Deadline(5))
    assert isinstance(credential, Password)
    assert credential.username == KEY


def test_with_a_token_too() -> None:
    grant = OAuth2(grant=Grant.JWT_BEARER, service_account_key=SecretRef("env", "GOOGLE"))
    _, found = secrets(ses(password=None, oauth2=grant))
    found.resolve()
    credential = found.credential(Deadline(5))
    assert isinstance(credential, BearerToken)
    assert (credential.username, credential.token.reveal()) == (KEY, f"for {KEY}")


@pytest.mark.parametrize("stage", list(Stage))
def test_a_failure_shows_the_reference_and_hides_the_name(stage: Stage) -> None:
    account, found = secrets(ses())
    found.resolve()
    where = FailureContext(account, stage, found.redactor)
    failure = classify(Declined("AUTH", Reply("535", "5.7.8", f"no such user {KEY}")), where)
    assert KEY not in repr(failure)
    assert KEY not in repr(account)


def test_the_name_counts_where_credentials_go_somewhere_new() -> None:
    uses = new_uses(StoredState(), Snapshot.of((ses(),)), str)
    assert {item.reference for item in uses} == {USER, SecretRef("env", "SES_PASSWORD")}
    assert USER in ses().references


@pytest.mark.parametrize(
    ("username", "is_reference"),
    [
        ("env:SES_KEY", True),
        ("file:/run/secrets/ses user", True),
        ("keyring:ses/user@example.com", True),
        ("ses@example.com", False),
        ("CONTOSO\\ses", False),
        ("a:", False),
    ],
)
def test_text_that_looks_like_a_reference_is_one(username: str, *, is_reference: bool) -> None:
    server = mail_server("ses", "smtp", username=username)
    assert (server.username_reference is not None) is is_reference
    written = {"kind": "EmailConnector", "name": "ses", "smtp": {"username": username}}
    document = validator(TYPES[Kind.EMAIL_CONNECTOR]).validate_json(json.dumps(written))
    assert isinstance(document, ConnectorDocument)
    assert (email_address_of(document) == username) is (username == "ses@example.com")


def test_no_local_part_is_cut_out_of_a_reference() -> None:
    server = replace(mail_server("x"), username="keyring:ses/user@example.com")
    assert server.username_reference == SecretRef("keyring", "ses/user@example.com")
