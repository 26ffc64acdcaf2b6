"""The shipped example: valid, and nothing to warn about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.config.load import Loaded, load
from reconciler.model.address import Kind
from reconciler.model.connector import Connector, Grant, Security

if TYPE_CHECKING:
    from reconciler.model.snapshot import Snapshot

FOLDER = Path(__file__).parents[3] / "connectors.d"


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load(FOLDER)


@pytest.fixture(scope="module")
def snapshot(loaded: Loaded) -> Snapshot:
    assert loaded.snapshot is not None, loaded.diagnostics
    return loaded.snapshot


def connector(snapshot: Snapshot, name: str) -> Connector:
    found = snapshot.connector(name)
    assert found is not None
    return found


def test_it_is_valid_without_warnings(loaded: Loaded) -> None:
    assert loaded.diagnostics == ()


def test_it_shows_every_kind_of_document(snapshot: Snapshot) -> None:
    assert {item.address.kind for item in snapshot.resources} == set(Kind)


def test_every_file_names_the_schema_for_editors() -> None:
    for path in FOLDER.iterdir():
        first = path.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=../schemas/connectors.schema.json"


def test_support_is_as_the_settings_form_has_it(snapshot: Snapshot) -> None:
    support = connector(snapshot, "support")

    assert support.imap is not None
    assert support.smtp is not None
    assert (support.imap.server, support.imap.port) == ("outlook.office365.com", 993)
    assert (support.smtp.server, support.smtp.port) == ("smtp.office365.com", 587)
    assert support.imap.security is Security.IMPLICIT
    assert support.smtp.security is Security.STARTTLS
    assert support.use_same_credentials
    assert support.email_address == support.smtp.username == "support@contoso.example"


def test_support_signs_in_as_microsoft_demands(snapshot: Snapshot) -> None:
    support = connector(snapshot, "support")

    assert support.imap is not None
    assert support.smtp is not None
    assert support.imap.oauth2 is not None
    assert support.imap.oauth2 == support.smtp.oauth2
    assert support.imap.password is support.smtp.password is None
    assert support.imap.oauth2.grant is Grant.CLIENT_CREDENTIALS
    assert support.imap.oauth2.scopes == ("https://outlook.office365.com/.default",)
    assert support.imap.oauth2.token_endpoint == (
        "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
    )


def test_the_provider_fills_in_all_that_info_leaves_out(snapshot: Snapshot) -> None:
    info = connector(snapshot, "info")

    assert info.imap is not None
    assert info.smtp is not None
    assert info.imap.complete
    assert info.smtp.complete
    assert info.email_address == "info@contoso.example"


def test_payroll_sends_with_credentials_of_their_own(snapshot: Snapshot) -> None:
    payroll = connector(snapshot, "payroll")

    assert payroll.imap is not None
    assert payroll.smtp is not None
    assert payroll.imap.username != payroll.smtp.username
    assert payroll.imap.password != payroll.smtp.password
    assert payroll.prevent_destroy


def test_one_is_only_read_and_one_is_a_draft(snapshot: Snapshot) -> None:
    unable = [item.name for item in snapshot.connectors if not item.can_send]

    assert unable == ["invoices", "newsletter"]
    assert connector(snapshot, "invoices").smtp is None
    assert connector(snapshot, "newsletter").draft


def test_the_policy_can_force_all_mail_through_no_reply(snapshot: Snapshot) -> None:
    policy = snapshot.policy

    assert policy is not None
    assert policy.connector == policy.fallback_connector == "no-reply"
    assert policy.save_to_sent_items
    assert connector(snapshot, "no-reply").can_send
    assert connector(snapshot, "no-reply").imap is not None  # or no copy could be saved


def test_secrets_come_from_the_environment_where_the_sandbox_puts_them(snapshot: Snapshot) -> None:
    references = [ref for item in snapshot.connectors for ref in item.references]

    assert {reference.scheme for reference in references} == {"env"}
    assert len({reference.target for reference in references}) == len(references) == 6
