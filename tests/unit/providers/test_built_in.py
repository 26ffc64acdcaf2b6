"""The built-in providers are documents like a user's own, and agree with what the vendors say."""

from __future__ import annotations

from importlib.resources import files

import pytest

from reconciler.config.load import built_in_providers
from reconciler.model.connector import Security
from reconciler.model.provider import Provider, SignInMethod, UsernameForm

# The names that connectors in the field are written with: one that goes breaks configurations.
NAMES = (
    "163.com",
    "alibaba",
    "aol",
    "brevo",
    "fastmail",
    "gandi",
    "gmail",
    "gmx",
    "icloud",
    "ionos",
    "mail.ru",
    "mailgun",
    "mailtrap",
    "microsoft365",
    "namecheap",
    "outlook.com",
    "ovh",
    "postmark",
    "qq",
    "rackspace",
    "resend",
    "sendgrid",
    "ses",
    "smtp2go",
    "t-online",
    "web.de",
    "yahoo",
    "yandex",
    "zoho",
)

IMPLICIT_PORTS = {993, 465}


def provider(name: str) -> Provider:
    return next(item for item in built_in_providers() if item.name == name)


def servers(item: Provider) -> list[tuple[int, Security, str]]:
    found = (account for account in (item.imap, item.smtp) if account is not None)
    return [(account.port, account.security, account.server) for account in found]


def test_no_built_in_provider_is_missing_and_each_has_the_name_of_its_file() -> None:
    assert [item.name for item in built_in_providers()] == list(NAMES)
    stems = {
        item.name.removesuffix(".yaml")
        for item in files("reconciler.providers").iterdir()
        if item.name.endswith(".yaml")
    }
    assert stems == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_built_in_provider_sends_a_password_in_clear_text(name: str) -> None:
    for port, security, _ in servers(provider(name)):
        assert security is (Security.IMPLICIT if port in IMPLICIT_PORTS else Security.STARTTLS)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_where_its_settings_come_from(name: str) -> None:
    found = provider(name)

    assert found.display_name
    assert found.documentation is not None
    assert found.sign_in
    assert found.smtp is not None


@pytest.mark.parametrize("name", NAMES)
def test_providers_have_endpoints_if_and_only_if_they_accept_oauth(name: str) -> None:
    found = provider(name)

    assert (found.oauth2 is not None) is (SignInMethod.OAUTH2 in found.sign_in)
    if found.oauth2 is not None:
        assert found.oauth2.delegated_scopes


def test_every_provider_reads_mail_at_993() -> None:
    assert {item.imap.port for item in built_in_providers() if item.imap} == {993}


def test_providers_that_only_send_are_known() -> None:
    send_only = {item.name for item in built_in_providers() if item.imap is None}

    assert send_only == {
        "ses", "sendgrid", "mailgun", "postmark", "brevo", "mailtrap", "resend", "smtp2go",
    }  # fmt: skip


def test_providers_that_file_sent_copies_are_known() -> None:
    filing = {item.name for item in built_in_providers() if item.files_sent_copies}

    assert filing == {"gmail", "microsoft365", "outlook.com"}


def test_the_user_is_the_local_part_only_where_the_vendor_says_so() -> None:
    accounts = {
        (item.name, protocol)
        for item in built_in_providers()
        for protocol, account in (("imap", item.imap), ("smtp", item.smtp))
        if account is not None and account.username_form is UsernameForm.LOCAL_PART
    }

    assert accounts == {("icloud", "imap"), ("web.de", "imap"), ("web.de", "smtp")}


def test_microsoft_refuses_passwords_and_says_since_when() -> None:
    microsoft, outlook = provider("microsoft365"), provider("outlook.com")

    assert microsoft.sign_in == outlook.sign_in == (SignInMethod.OAUTH2,)
    assert microsoft.imap is not None
    assert microsoft.smtp is not None
    assert microsoft.imap.password_until == "2022-10-01"
    assert microsoft.smtp.password_until == "2026-12-31"
    assert outlook.imap is not None
    assert outlook.smtp is not None
    assert outlook.imap.password_until == outlook.smtp.password_until == "2024-09-16"


def test_the_tenant_is_asked_for_where_there_are_tenants() -> None:
    endpoints = {
        item.name: item.oauth2.token_endpoint for item in built_in_providers() if item.oauth2
    }

    assert {name for name, endpoint in endpoints.items() if "{tenant}" in endpoint} == {
        "microsoft365"
    }


def test_google_rejects_the_password_of_the_account_itself() -> None:
    assert provider("gmail").sign_in == (SignInMethod.OAUTH2, SignInMethod.APP_PASSWORD)
