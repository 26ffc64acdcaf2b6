"""The probe of a sending account, against Postfix with Dovecot behind it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.model.connector import Security
from reconciler.model.depth import Depth
from reconciler.model.protocol import Protocol
from reconciler.probe.result import StageOutcome
from reconciler.probe.runner import run
from reconciler.values import replace
from tests.servers.accounts import (
    ARCHIVE,
    DOMAIN,
    FULL,
    INFO,
    PAYROLL,
    PAYROLL_RELAY,
    SUPPORT,
    UNICODE,
)
from tests.servers.authority import ELSEWHERE, EXPIRED, UNTRUSTED
from tests.servers.postfix import BUSY, GONE
from tests.servers.site import DOWN, IMAP, MAIL, PORTS, SMTP, WRONG, connector_for, reads, sends

if TYPE_CHECKING:
    from reconciler.connection.failure import Failure
    from reconciler.probe.result import ConnectorResult
    from tests.servers.accounts import Account
    from tests.servers.dovecot import Dovecot
    from tests.servers.postfix import Postfix
    from tests.servers.site import Site

pytestmark = pytest.mark.server

MODES = (Security.IMPLICIT, Security.STARTTLS)


def failure(result: ConnectorResult) -> tuple[Stage, Failure]:
    """The one stage that failed, and why."""
    ((_, stage, why),) = result.failures
    return stage.stage, why


@pytest.mark.parametrize("security", MODES)
@pytest.mark.parametrize("account", [SUPPORT, INFO, UNICODE], ids=lambda account: account.name)
def test_a_working_account_passes_every_stage_of_both_protocols(
    mail_site: Site, account: Account, security: Security
) -> None:
    connector = connector_for(account, imap=reads(account, security), smtp=sends(account, security))
    result = mail_site.probe(connector)
    assert result.passed, result.failures
    assert [item.protocol for item in result.protocols] == [Protocol.IMAP, Protocol.SMTP]
    outcomes = {stage.outcome for item in result.protocols for stage in item.stages}
    assert outcomes == {StageOutcome.OK}


def test_smtp_may_have_its_own_credentials(mail_site: Site) -> None:
    connector = connector_for(
        PAYROLL,
        imap=reads(PAYROLL),
        smtp=sends(PAYROLL_RELAY),
        email_address=PAYROLL.username,
    )
    assert mail_site.probe(connector).passed


def test_a_test_resets_its_envelope_and_sends_no_text(mail_site: Site, postfix: Postfix) -> None:
    before = len(postfix.settled_log())
    assert mail_site.probe(connector_for(SUPPORT, smtp=sends(SUPPORT))).passed
    # Postfix counts the commands of a session when it ends.
    (counts,) = re.findall(r"disconnect from .*", postfix.settled_log()[before:])
    assert {"mail=1", "rcpt=1", "rset=1"} <= set(counts.split())
    assert "data=" not in counts


@pytest.mark.parametrize("security", MODES)
@pytest.mark.parametrize("account", [INFO, UNICODE], ids=lambda account: account.name)
def test_one_wrong_password_is_one_failed_login(
    dovecot: Dovecot, mail_site: Site, account: Account, security: Security
) -> None:
    before = dovecot.failed_logins(account.username)
    connector = connector_for(account, smtp=sends(account, security, password=WRONG))
    result = mail_site.probe(connector, replace(mail_site.options, retries=3))
    where, why = failure(result)
    assert (where, why.error_class) == (Stage.AUTHENTICATION, ErrorClass.AUTH_REJECTED)
    assert not result.unreachable
    assert dovecot.failed_logins(account.username) == before + 1


@pytest.mark.parametrize("together", [True, False])
def test_one_wrong_password_is_one_failed_login_over_both_protocols_together(
    dovecot: Dovecot, mail_site: Site, *, together: bool
) -> None:
    before = dovecot.failed_logins(INFO.username)
    connector = connector_for(
        INFO, imap=reads(INFO, password=WRONG), smtp=sends(INFO, password=WRONG)
    )
    if together:
        (result,) = run((connector,), mail_site.resolver, mail_site.options)
    else:
        result = mail_site.probe(connector)
    found = {account.protocol: (stage.stage, why) for account, stage, why in result.failures}
    assert {(where, why.error_class) for where, why in found.values()} == {
        (Stage.AUTHENTICATION, ErrorClass.AUTH_REJECTED)
    }
    assert found[Protocol.SMTP][1].cause.endswith(f"{IMAP} has refused it.")
    assert not result.unreachable
    assert dovecot.failed_logins(INFO.username) == before + 1


def test_two_connectors_that_share_an_account_try_a_wrong_password_once(
    dovecot: Dovecot, mail_site: Site
) -> None:
    before = dovecot.failed_logins(INFO.username)
    one = connector_for(INFO, imap=reads(INFO, password=WRONG))
    results = run((one, replace(one, name="again")), mail_site.resolver, mail_site.options)
    assert [failure(result)[1].error_class for result in results] == [ErrorClass.AUTH_REJECTED] * 2
    assert dovecot.failed_logins(INFO.username) == before + 1


def test_one_account_may_fail_while_the_other_passes(mail_site: Site) -> None:
    connector = connector_for(SUPPORT, imap=reads(SUPPORT), smtp=sends(SUPPORT, host=DOWN))
    result = mail_site.probe(connector)
    ((protocol, stage, why),) = result.failures
    assert protocol.protocol is Protocol.SMTP
    assert (stage.stage, why.error_class) == (Stage.TCP, ErrorClass.REFUSED)
    assert result.unreachable


def test_copies_that_we_file_need_a_folder(mail_site: Site) -> None:
    connector = connector_for(ARCHIVE, imap=reads(ARCHIVE), smtp=sends(ARCHIVE))
    where, why = failure(mail_site.probe(connector))
    assert (where, why.error_class) == (Stage.MAILBOX, ErrorClass.FOLDER_MISSING)


@pytest.mark.parametrize(
    ("host", "security", "error_class"),
    [
        (ELSEWHERE, Security.IMPLICIT, ErrorClass.CERT_HOSTNAME),
        (ELSEWHERE, Security.STARTTLS, ErrorClass.CERT_HOSTNAME),
        (UNTRUSTED, Security.IMPLICIT, ErrorClass.CERT_UNTRUSTED),
        (EXPIRED, Security.IMPLICIT, ErrorClass.CERT_EXPIRED),
    ],
)
def test_a_bad_certificate_ends_it_before_a_password_is_sent(
    mail_site: Site, host: str, security: Security, error_class: ErrorClass
) -> None:
    result = mail_site.probe(connector_for(SUPPORT, smtp=sends(SUPPORT, security, host=host)))
    where, why = failure(result)
    assert (where, why.error_class) == (Stage.TLS, error_class)


@pytest.mark.parametrize(
    ("security", "port", "says"),
    [(Security.IMPLICIT, 587, "STARTTLS"), (Security.STARTTLS, 465, "TLS")],
)
def test_the_wrong_tls_mode_is_distinguished_from_a_broken_server(
    mail_site: Site, security: Security, port: int, says: str
) -> None:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT, security, port=port))
    result = mail_site.probe(connector, replace(mail_site.options, timeout=4.0))
    where, why = failure(result)
    assert (where, why.error_class) == (Stage.TLS, ErrorClass.TLS_MODE_MISMATCH)
    assert says in why.cause + why.remedy


def test_without_starttls_on_offer_there_is_no_fallback_to_plain_text(mail_site: Site) -> None:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT, Security.STARTTLS, port=25))
    where, why = failure(mail_site.probe(connector))
    assert (where, why.error_class) == (Stage.TLS, ErrorClass.STARTTLS_MISSING)


@pytest.mark.parametrize(
    ("host", "port", "security"),
    [
        pytest.param(SMTP, 25, Security.NONE, id="not before TLS"),
        pytest.param(MAIL, 587, Security.STARTTLS, id="not at all"),
    ],
)
def test_a_server_that_offers_no_sign_in_does_not_pass(
    mail_site: Site, host: str, port: int, security: Security
) -> None:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT, security, host=host, port=port))
    where, why = failure(mail_site.probe(connector))
    assert (where, why.error_class) == (Stage.AUTHENTICATION, ErrorClass.AUTH_MECH_UNAVAILABLE)


@pytest.mark.parametrize(
    "host",
    [pytest.param(MAIL, id="said at MAIL FROM"), pytest.param(SMTP, id="said at RCPT TO")],
)
def test_the_address_of_another_user_is_refused_as_a_sender(mail_site: Site, host: str) -> None:
    connector = connector_for(
        SUPPORT, smtp=sends(SUPPORT, host=host), email_address=f"board@{DOMAIN}"
    )
    where, why = failure(mail_site.probe(connector))
    assert (where, why.error_class) == (Stage.ENVELOPE, ErrorClass.SEND_AS_DENIED)
    assert "not owned by user" in why.reply


def test_an_address_without_a_mailbox_is_a_warning_with_its_meaning(mail_site: Site) -> None:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT), email_address=GONE)
    result = mail_site.probe(replace(connector, also_sends_as=(SUPPORT.username,)))
    assert result.passed, result.failures
    (protocol,) = result.protocols
    (warning,) = [stage.warning for stage in protocol.stages if stage.warning]
    assert GONE in warning
    assert "550" in warning
    assert "`test_recipient`" in warning


def test_another_recipient_can_replace_the_address(mail_site: Site) -> None:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT), email_address=GONE)
    result = mail_site.probe(replace(connector, test_recipient=INFO.username))
    assert result.passed
    assert not any(stage.warning for item in result.protocols for stage in item.stages)
    named = mail_site.probe(replace(connector, test_recipient=f"nobody@{DOMAIN}"))
    assert failure(named)[1].error_class is ErrorClass.RECIPIENT_REJECTED


@pytest.mark.parametrize(
    ("own", "least", "reached"),
    [
        (Depth.CAPABILITIES, None, Stage.CAPABILITIES),
        (Depth.CAPABILITIES, Stage.AUTHENTICATION, Stage.AUTHENTICATION),
        (Depth.ENVELOPE, None, Stage.ENVELOPE),
    ],
)
def test_a_connector_may_lower_the_depth_but_not_below_the_owners(
    mail_site: Site, own: Depth, least: Stage | None, reached: Stage
) -> None:
    connector = replace(connector_for(SUPPORT, smtp=sends(SUPPORT)), depth=own)
    result = mail_site.probe(connector, replace(mail_site.options, least_depth=least))
    assert result.passed
    (protocol,) = result.protocols
    done = [stage.stage for stage in protocol.stages if stage.outcome is StageOutcome.OK]
    assert done[-1] is reached


def test_every_additional_address_is_tried_as_a_sender(mail_site: Site, postfix: Postfix) -> None:
    before = len(postfix.settled_log())
    connector = replace(
        connector_for(SUPPORT, smtp=sends(SUPPORT)), also_sends_as=(GONE, BUSY, f"*@{DOMAIN}")
    )
    assert mail_site.probe(connector).passed
    (counts,) = re.findall(r"disconnect from .* ehlo=.*", postfix.settled_log()[before:])
    assert {"mail=3", "rcpt=3"} <= set(counts.split())
    foreign = replace(connector, also_sends_as=(GONE, INFO.username))
    where, why = failure(mail_site.probe(foreign))
    assert (where, why.error_class) == (Stage.ENVELOPE, ErrorClass.SEND_AS_DENIED)
    assert INFO.username in why.cause


@pytest.mark.parametrize(
    ("account", "address", "error_class"),
    [
        pytest.param(FULL, FULL.username, ErrorClass.QUOTA, id="full"),
        pytest.param(SUPPORT, BUSY, ErrorClass.RATE_LIMITED, id="busy"),
    ],
)
def test_a_mailbox_that_takes_no_mail_is_a_warning_unless_the_test_is_to_reach_it(
    mail_site: Site, account: Account, address: str, error_class: ErrorClass
) -> None:
    connector = connector_for(account, smtp=sends(account), email_address=address)
    result = mail_site.probe(connector)
    assert result.passed, result.failures
    warnings = [stage.warning for item in result.protocols for stage in item.stages]
    assert f"takes no mail for {address} at the moment" in "".join(warnings)
    where, why = failure(mail_site.probe(replace(connector, test_recipient=address)))
    assert (where, why.error_class) == (Stage.ENVELOPE, error_class)


@pytest.mark.parametrize(
    ("address", "attempts"),
    [pytest.param(BUSY, 3, id="450"), pytest.param(FULL.username, 1, id="552")],
)
def test_only_temporary_failures_are_retried(
    mail_site: Site, postfix: Postfix, address: str, attempts: int
) -> None:
    before = len(postfix.settled_log())
    connector = replace(
        connector_for(SUPPORT, smtp=sends(SUPPORT), email_address=address), test_recipient=address
    )
    mail_site.probe(connector, replace(mail_site.options, retries=2))
    assert postfix.settled_log()[before:].count(f"to=<{address}>") == attempts


@pytest.mark.parametrize("security", MODES)
def test_the_port_of_the_other_protocol_is_reported(mail_site: Site, security: Security) -> None:
    port = PORTS["imap", security]
    connector = connector_for(
        SUPPORT,
        imap=reads(SUPPORT, security, host=SMTP, port=PORTS["smtp", security]),
        smtp=sends(SUPPORT, security, host=IMAP, port=port),
    )
    reads_smtp, sends_to_imap = (why for _, _, why in mail_site.probe(connector).failures)
    assert reads_smtp.error_class is sends_to_imap.error_class is ErrorClass.PROTOCOL
    assert "speaks SMTP" in reads_smtp.cause
    assert "speaks IMAP" in sends_to_imap.cause
