"""How many connections a run has open at a time, counted between it and Dovecot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.mail.dial import ConnectTo
from reconciler.probe.runner import run
from reconciler.values import replace
from tests.servers.accounts import ACCOUNTS, SUPPORT
from tests.servers.gauge import Gauge
from tests.servers.loopback import LOOPBACK
from tests.servers.site import IMAP, connector_for, reads

if TYPE_CHECKING:
    from tests.servers.dovecot import Dovecot
    from tests.servers.site import Site

pytestmark = pytest.mark.server

MANY = tuple(account for account in ACCOUNTS if account.name.startswith("user-"))


def test_fifty_connectors_never_open_more_connections_to_a_host_than_allowed(
    dovecot: Dovecot, imap_site: Site
) -> None:
    connectors = tuple(connector_for(account, imap=reads(account)) for account in MANY)
    with Gauge((LOOPBACK, dovecot.tls_port)) as gauge:
        led = ConnectTo.parse((f"{IMAP}:993={LOOPBACK}:{gauge.port}",))
        options = replace(imap_site.options, connect_to=led, concurrency=50, per_host=3)
        results = run(connectors, imap_site.resolver, options)
    assert len(results) == 50
    assert all(result.passed for result in results)
    assert gauge.total == 50
    assert gauge.peak == 3


def test_one_account_is_tested_once_at_a_time(dovecot: Dovecot, imap_site: Site) -> None:
    base = connector_for(SUPPORT, imap=reads(SUPPORT))
    connectors = tuple(replace(base, name=f"support-{number}") for number in range(6))
    with Gauge((LOOPBACK, dovecot.tls_port)) as gauge:
        led = ConnectTo.parse((f"{IMAP}:993={LOOPBACK}:{gauge.port}",))
        options = replace(imap_site.options, connect_to=led, concurrency=6, per_host=6)
        results = run(connectors, imap_site.resolver, options)
    assert all(result.passed for result in results)
    assert (gauge.total, gauge.peak) == (6, 1)
