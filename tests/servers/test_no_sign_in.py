"""Accounts that send without signing in, against Postfix as a relay and as a submission server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.errors import SendFailed
from reconciler.model.connector import Security
from reconciler.probe.result import StageOutcome
from reconciler.sending.message import Message
from tests.servers.accounts import ADA, ARCHIVE, SUPPORT
from tests.servers.postfix import RELAY
from tests.servers.site import SMTP, connector_for, relays

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.app.mailer import Mailer
    from tests.servers.mailboxes import Mailboxes
    from tests.servers.postfix import Postfix
    from tests.servers.site import Site

pytestmark = pytest.mark.server

DOCUMENT = """\
kind: EmailConnector
name: printer
enable_mail_send_from: true
smtp: {{server: {host}, port: {port}, security: {security}, sign_in: none, email_address: {address}}}
"""

MAIL = Message(to=(ADA.username,), subject="Paper is out", text="Please refill.")


@pytest.mark.parametrize("security", [Security.NONE, Security.STARTTLS])
def test_a_relay_passes_up_to_the_envelope(
    mail_site: Site, postfix: Postfix, security: Security
) -> None:
    before = len(postfix.settled_log())
    result = mail_site.probe(connector_for(SUPPORT, smtp=relays(security)))
    assert result.passed, result.failures
    (protocol,) = result.protocols
    outcomes = {stage.stage: stage.outcome for stage in protocol.stages}
    assert outcomes[Stage.SECRET] is outcomes[Stage.AUTHENTICATION] is StageOutcome.SKIPPED
    assert outcomes[Stage.ENVELOPE] is StageOutcome.OK
    (counts,) = re.findall(r"disconnect from .* ehlo=.*", postfix.settled_log()[before:])
    assert {"mail=1", "rcpt=1", "rset=1"} <= set(counts.split())
    assert "auth=" not in counts
    assert "data=" not in counts


def test_a_server_that_requires_sign_in_is_reported(mail_site: Site) -> None:
    smtp = relays(Security.IMPLICIT, host=SMTP, port=465)
    result = mail_site.probe(connector_for(SUPPORT, smtp=smtp))
    ((_, stage, why),) = result.failures
    assert (stage.stage, why.error_class) == (Stage.ENVELOPE, ErrorClass.AUTH_REQUIRED)
    assert "`sign_in: none`" in why.remedy
    assert not result.unreachable


def test_a_relay_that_does_not_know_this_network_is_reported(mail_site: Site) -> None:
    smtp = relays(Security.NONE, port=2525)
    connector = connector_for(SUPPORT, smtp=smtp, email_address="printer@elsewhere.example")
    ((_, stage, why),) = mail_site.probe(connector).failures
    assert (stage.stage, why.error_class) == (Stage.ENVELOPE, ErrorClass.AUTH_REQUIRED)
    assert why.cause == f"{RELAY} does not relay mail for this machine without a sign-in."


def test_mail_goes_out_through_a_relay(
    apply: Callable[..., None], mailer: Mailer, mailboxes: Mailboxes
) -> None:
    apply(DOCUMENT.format(host=RELAY, port=587, security="starttls", address=ARCHIVE.username))
    sent = mailer.send(MAIL, connector="printer")
    assert ARCHIVE.username.encode() in mailboxes.one(ADA, "INBOX", sent.message_id)


def test_a_mail_that_requires_sign_in_is_refused_permanently_with_a_remedy(
    apply: Callable[..., None], mailer: Mailer
) -> None:
    apply(DOCUMENT.format(host=SMTP, port=465, security="implicit", address=ARCHIVE.username))
    with pytest.raises(SendFailed, match="not logged in") as refused:
        mailer.send(MAIL, connector="printer")
    assert not refused.value.temporary
    assert "`sign_in: none`" in (refused.value.hint or "")
