"""`doctor` at accounts on Dovecot and Postfix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.mail.folders import SentBy
from reconciler.model.connector import Security
from reconciler.probe.doctor import ExaminedAccount, examine
from reconciler.probe.result import StageOutcome
from tests.servers.accounts import SENT, SUPPORT
from tests.servers.authority import EXPIRED
from tests.servers.site import connector_for, reads, sends

if TYPE_CHECKING:
    from reconciler.model.connector import Connector
    from tests.servers.site import Site

pytestmark = pytest.mark.server


def look(site: Site, connector: Connector) -> tuple[ExaminedAccount, ...]:
    return examine(connector, site.resolver, site.options)


def test_a_mailbox_is_shown_with_its_folders_quota_and_certificate_chain(imap_site: Site) -> None:
    (found,) = look(imap_site, connector_for(SUPPORT, imap=reads(SUPPORT, Security.STARTTLS)))
    details = found.details
    assert found.result.failed is None
    assert details.speaks is Security.STARTTLS
    assert details.verified
    assert len(details.chain) >= 2, "the server's certificate and the authority"
    assert details.sent == (SENT, SentBy.MARK)
    assert "INBOX" in {folder.name for folder in details.folders}
    assert "QUOTA" in details.capabilities, "which Dovecot lists after the sign-in"
    assert details.quotas is not None
    assert [(item.resource, item.limit) for item in details.quotas] == [("STORAGE", 102_400)]


def test_an_expired_certificate_is_shown_with_its_date(imap_site: Site) -> None:
    for security in (Security.IMPLICIT, Security.STARTTLS):
        account = reads(SUPPORT, security, host=EXPIRED)
        (found,) = look(imap_site, connector_for(SUPPORT, imap=account))
        assert found.result.stages[-1].outcome is StageOutcome.NOT_REACHED
        assert not found.details.verified
        assert found.details.speaks is security
        assert found.details.chain[0].hosts == (EXPIRED,)


def test_the_size_limit_of_submission(mail_site: Site) -> None:
    connector = connector_for(SUPPORT, smtp=sends(SUPPORT, Security.STARTTLS))
    (found,) = look(mail_site, connector)
    assert found.result.failed is None
    assert found.result.observed is not None
    assert found.result.observed.size_limit
    assert "PIPELINING" in found.details.capabilities
