"""The probe of a mailbox, against Dovecot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.model.connector import Security
from reconciler.probe.result import StageOutcome
from reconciler.values import replace
from tests.servers.accounts import (
    ARCHIVE,
    GHOST,
    INFO,
    LOCAL_SENT,
    LOCKED_OUT,
    PAYROLL_RELAY,
    SUPPORT,
    UNICODE,
)
from tests.servers.authority import ELSEWHERE, EXPIRED, UNTRUSTED
from tests.servers.site import DOWN, IMAP, MAIL, WRONG, connector_for, reads

if TYPE_CHECKING:
    from reconciler.connection.failure import Failure
    from reconciler.probe.result import ConnectorResult, StageResult
    from tests.servers.accounts import Account
    from tests.servers.dovecot import Dovecot
    from tests.servers.site import Site

pytestmark = pytest.mark.server

MODES = (Security.IMPLICIT, Security.STARTTLS)


def failure(result: ConnectorResult) -> tuple[Stage, Failure]:
    """The one stage that failed, and why."""
    ((_, stage, why),) = result.failures
    return stage.stage, why


def stage(result: ConnectorResult, expected: Stage) -> StageResult:
    (protocol,) = result.protocols
    return next(item for item in protocol.stages if item.stage is expected)


@pytest.mark.parametrize("security", MODES)
@pytest.mark.parametrize("account", [SUPPORT, INFO, UNICODE], ids=lambda account: account.name)
def test_a_working_mailbox_passes_every_stage(
    imap_site: Site, account: Account, security: Security
) -> None:
    result = imap_site.probe(connector_for(account, imap=reads(account, security)))
    assert result.passed, result.failures
    (protocol,) = result.protocols
    assert {item.outcome for item in protocol.stages} == {StageOutcome.OK}
    assert protocol.via.startswith("127.0.0.")


@pytest.mark.parametrize("security", MODES)
@pytest.mark.parametrize("account", [SUPPORT, UNICODE], ids=lambda account: account.name)
def test_one_wrong_password_is_one_failed_login(
    dovecot: Dovecot, imap_site: Site, account: Account, security: Security
) -> None:
    before = dovecot.failed_logins(account.username)
    connector = connector_for(account, imap=reads(account, security, password=WRONG))
    # Retries are for temporary failures.
    result = imap_site.probe(connector, replace(imap_site.options, retries=3))
    where, why = failure(result)
    assert (where, why.error_class) == (Stage.AUTHENTICATION, ErrorClass.AUTH_REJECTED)
    assert stage(result, Stage.MAILBOX).outcome is StageOutcome.NOT_REACHED
    assert not result.unreachable
    assert dovecot.failed_logins(account.username) == before + 1


def test_a_server_that_is_down_is_unreachable_and_not_rejected(imap_site: Site) -> None:
    result = imap_site.probe(connector_for(SUPPORT, imap=reads(SUPPORT, host=DOWN)))
    where, why = failure(result)
    assert (where, why.error_class) == (Stage.TCP, ErrorClass.REFUSED)
    assert result.unreachable


@pytest.mark.parametrize("security", MODES)
@pytest.mark.parametrize(
    ("host", "error_class"),
    [
        (ELSEWHERE, ErrorClass.CERT_HOSTNAME),
        (UNTRUSTED, ErrorClass.CERT_UNTRUSTED),
        (EXPIRED, ErrorClass.CERT_EXPIRED),
    ],
)
def test_a_bad_certificate_ends_it_before_a_password_is_sent(
    imap_site: Site, host: str, error_class: ErrorClass, security: Security
) -> None:
    result = imap_site.probe(connector_for(SUPPORT, imap=reads(SUPPORT, security, host=host)))
    where, why = failure(result)
    assert (where, why.error_class) == (Stage.TLS, error_class)
    assert stage(result, Stage.AUTHENTICATION).outcome is StageOutcome.NOT_REACHED


def test_a_private_authority_is_not_trusted_unless_configured(imap_site: Site) -> None:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT))
    result = imap_site.probe(connector, replace(imap_site.options, ca_file=None))
    assert failure(result)[1].error_class is ErrorClass.CERT_UNTRUSTED


@pytest.mark.parametrize(
    ("security", "port", "says"),
    [(Security.IMPLICIT, 143, "STARTTLS"), (Security.STARTTLS, 993, "TLS")],
)
def test_the_wrong_tls_mode_is_distinguished_from_a_broken_server(
    imap_site: Site, security: Security, port: int, says: str
) -> None:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT, security, port=port))
    result = imap_site.probe(connector, replace(imap_site.options, timeout=4.0))
    where, why = failure(result)
    assert (where, why.error_class) == (Stage.TLS, ErrorClass.TLS_MODE_MISMATCH)
    assert says in why.cause + why.remedy
    assert not result.unreachable


def test_plain_text_on_a_tls_port_is_the_wrong_mode_too(imap_site: Site) -> None:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT, Security.NONE, port=993))
    result = imap_site.probe(connector, replace(imap_site.options, timeout=4.0))
    assert failure(result)[1].error_class is ErrorClass.TLS_MODE_MISMATCH


def test_without_starttls_on_offer_there_is_no_fallback_to_plain_text(imap_site: Site) -> None:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT, Security.STARTTLS, host=MAIL))
    where, why = failure(imap_site.probe(connector))
    assert (where, why.error_class) == (Stage.TLS, ErrorClass.STARTTLS_MISSING)


@pytest.mark.parametrize("host", [IMAP, MAIL])
def test_a_server_that_disables_login_in_plain_text_is_not_sent_the_password(
    imap_site: Site, host: str
) -> None:
    plain = connector_for(UNICODE, imap=reads(UNICODE, Security.NONE, host=host))
    where, why = failure(imap_site.probe(plain))
    assert (where, why.error_class) == (Stage.AUTHENTICATION, ErrorClass.AUTH_MECH_UNAVAILABLE)
    result = imap_site.probe(connector_for(SUPPORT, imap=reads(SUPPORT, Security.NONE, host=host)))
    assert result.passed, result.failures
    assert stage(result, Stage.AUTHENTICATION).detail == "signed in with CRAM-MD5"


def test_the_sent_folder_is_found_by_its_special_use_whatever_its_name(imap_site: Site) -> None:
    result = imap_site.probe(connector_for(INFO, imap=reads(INFO)))
    assert LOCAL_SENT in stage(result, Stage.MAILBOX).detail


@pytest.mark.parametrize("account", [SUPPORT, ARCHIVE], ids=lambda account: account.name)
def test_a_configured_sent_folder_must_exist(imap_site: Site, account: Account) -> None:
    connector = connector_for(account, imap=reads(account), sent_folder="Outgoing")
    where, why = failure(imap_site.probe(connector))
    assert (where, why.error_class) == (Stage.MAILBOX, ErrorClass.FOLDER_MISSING)
    assert "Outgoing" in why.cause


def test_a_mailbox_that_is_only_read_needs_no_sent_folder(imap_site: Site) -> None:
    assert imap_site.probe(connector_for(ARCHIVE, imap=reads(ARCHIVE))).passed


def test_a_mailbox_that_cannot_be_opened_fails(imap_site: Site) -> None:
    result = imap_site.probe(connector_for(LOCKED_OUT, imap=reads(LOCKED_OUT)))
    where, why = failure(result)
    assert (where, why.error_class) == (Stage.MAILBOX, ErrorClass.MAILBOX_NOT_CONNECTED)
    assert "SERVERBUG" in why.reply


@pytest.mark.parametrize("account", [GHOST, PAYROLL_RELAY], ids=lambda account: account.name)
def test_a_user_without_a_mailbox_fails(imap_site: Site, account: Account) -> None:
    result = imap_site.probe(connector_for(account, imap=reads(account)))
    where, why = failure(result)
    assert where in {Stage.AUTHENTICATION, Stage.MAILBOX}
    assert why.error_class in {ErrorClass.PROTOCOL, ErrorClass.MAILBOX_NOT_CONNECTED}
    assert not result.unreachable


@pytest.mark.parametrize("depth", [Stage.TLS, Stage.AUTHENTICATION])
def test_the_depth_is_where_the_probe_stops(
    dovecot: Dovecot, imap_site: Site, depth: Stage
) -> None:
    connector = connector_for(ARCHIVE, imap=reads(ARCHIVE, password=WRONG))
    before = dovecot.failed_logins(ARCHIVE.username)
    result = imap_site.probe(connector, replace(imap_site.options, depth=depth))
    assert result.passed is (depth is Stage.TLS)
    tried = dovecot.failed_logins(ARCHIVE.username) - before
    assert tried == (0 if depth is Stage.TLS else 1)
