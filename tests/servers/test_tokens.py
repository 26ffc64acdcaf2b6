"""Signing in with OAuth 2.0 tokens over both protocols, with Dovecot to ask who may."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.mail.credentials import BearerToken
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Declined
from reconciler.mail.imap import ImapSession
from reconciler.mail.resolve import resolve
from reconciler.mail.smtp import SmtpSession
from reconciler.mail.tls import shared_context
from reconciler.mail.wire import Wire
from reconciler.secrets.base import Secret
from tests.servers.accounts import SUPPORT
from tests.servers.introspection import EXPIRED, SOMEBODY_ELSE, VALID, WRONG_SCOPE
from tests.servers.site import IMAP, SMTP

if TYPE_CHECKING:
    from tests.servers.introspection import Token
    from tests.servers.site import Site

pytestmark = pytest.mark.server

REFUSED: Final = (EXPIRED, WRONG_SCOPE, SOMEBODY_ELSE)


def wire_to(site: Site, host: str, port: int) -> Wire:
    deadline = Deadline(20.0)
    wire = Wire.connect(resolve(*site.options.connect_to.target(host, port), deadline), deadline)
    wire.start_tls(shared_context(site.options.ca_file), host)
    return wire


def imap_with(site: Site, token: Token) -> str:
    """Sign in with this token over IMAP and say how."""
    with closing(ImapSession(wire_to(site, IMAP, 993))) as session:
        how = session.sign_in(BearerToken(SUPPORT.username, Secret(token.text)))
        session.examine("INBOX")
        return how


def smtp_with(site: Site, token: Token) -> str:
    """Sign in with this token over SMTP and say how."""
    with closing(SmtpSession(wire_to(site, SMTP, 465))) as session:
        session.hello()
        how = session.sign_in(BearerToken(SUPPORT.username, Secret(token.text)))
        session.envelope(SUPPORT.username, SUPPORT.username)
        return how


def test_a_valid_token_opens_the_mailbox(imap_site: Site) -> None:
    assert imap_with(imap_site, VALID) == "XOAUTH2"


def test_a_valid_token_lets_mail_out(mail_site: Site) -> None:
    assert smtp_with(mail_site, VALID) == "XOAUTH2"


@pytest.mark.parametrize("token", REFUSED, ids=lambda token: token.text)
def test_any_other_token_is_refused_over_imap_and_the_reason_kept(
    imap_site: Site, token: Token
) -> None:
    with pytest.raises(Declined) as refused:
        imap_with(imap_site, token)
    assert refused.value.reply.status == "AUTHENTICATIONFAILED"
    assert json.loads(refused.value.challenge)["scope"] == "mail"


@pytest.mark.parametrize("token", REFUSED, ids=lambda token: token.text)
def test_any_other_token_is_refused_over_smtp_and_the_reason_kept(
    mail_site: Site, token: Token
) -> None:
    with pytest.raises(Declined) as refused:
        smtp_with(mail_site, token)
    assert refused.value.reply.code == "535"
    assert json.loads(refused.value.challenge)["scope"] == "mail"
