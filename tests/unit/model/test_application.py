"""Applications: where they may connect from, and whom they may send as."""

from __future__ import annotations

import pytest

from tests.builders import application


@pytest.mark.parametrize(
    ("networks", "client", "admitted"),
    [
        ((), "203.0.113.9", True),
        (("10.1.0.0/16",), "10.1.255.7", True),
        (("10.1.0.0/16",), "10.2.0.1", False),
        (("10.1.0.0/16",), "::ffff:10.1.2.3", True),
        (("10.1.0.0/16",), "::ffff:10.2.2.3", False),
        (("192.0.2.7", "2001:db8::/32"), "2001:db8::1", True),
        (("192.0.2.7", "2001:db8::/32"), "192.0.2.7", True),
        (("192.0.2.7",), "192.0.2.8", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("10.1.0.0/16",), "", False),
        (("10.1.0.0/16",), "/run/socket", False),
    ],
)
def test_a_client_is_admitted_from_the_networks(
    networks: tuple[str, ...], client: str, admitted: bool
) -> None:
    assert application("grafana", networks=networks).admits(client) is admitted


@pytest.mark.parametrize(
    ("senders", "sender", "may"),
    [
        ((), "anybody@elsewhere.example", True),
        (("alerts@contoso.example",), "Alerts@CONTOSO.example", True),
        (("alerts@contoso.example",), "ceo@contoso.example", False),
        (("*@contoso.example",), "ceo@contoso.example", True),
        (("*@contoso.example",), "ceo@sub.contoso.example", False),
        (("*@straße.example",), "a@xn--strae-oqa.example", True),
        (("*@contoso.example",), "", False),
    ],
)
def test_senders_are_addresses_or_whole_domains(
    senders: tuple[str, ...], sender: str, may: bool
) -> None:
    assert application("grafana", senders=senders).may_send_as(sender) is may
