"""Domains follow IDNA 2008: none turns into another one, and what has no answer is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.settings import Settings
from reconciler.connection.options import ProbeOptions
from reconciler.model.credential_rule import CredentialRule
from reconciler.model.domain import a_labels, address_key, domain_key, pattern_key
from reconciler.model.snapshot import Snapshot
from reconciler.plan.credentials import new_uses
from tests.builders import connector, mail_server, stored


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("Contoso.Example.", "contoso.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("STRAẞE.example", "xn--strae-oqa.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("日本語。example", "xn--wgv71a119e.example"),
        ("xn--STRAE-oqa.example", "xn--strae-oqa.example"),
        ("_dmarc.contoso.example", "_dmarc.contoso.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_domains_become_a_labels(domain: str, expected: str) -> None:
    assert a_labels(domain) == expected
    assert domain_key(domain) == expected


@pytest.mark.parametrize(
    "domain",
    ["☃.example", "xn--n3h.example", "a\u200db.example", "xn--0.example", "-ä.example", "ä" * 64],
)
def test_an_invalid_domain_is_rejected_and_equals_no_other(domain: str) -> None:
    with pytest.raises(ValueError, match="IDNA 2008"):
        a_labels(domain)
    assert domain_key(domain) == domain


def test_letters_that_the_older_standard_takes_for_others_keep_domains_apart() -> None:
    assert domain_key("faß.example") != domain_key("fass.example")
    assert domain_key("βόλος.example") != domain_key("βόλοσ.example")
    assert address_key("groß@x.example") != address_key("gross@x.example")


def test_patterns_are_compared_label_by_label() -> None:
    assert pattern_key("*.Straße.example") == "*.xn--strae-oqa.example"
    assert pattern_key("Mail?.contoso.example") == "mail?.contoso.example"


@given(st.text(max_size=40))
def test_a_key_is_its_own_key(text: str) -> None:
    assert domain_key(domain_key(text)) == domain_key(text)


def test_hosts_of_another_spelling_are_allowed_and_those_of_another_domain_are_not() -> None:
    for allows in (
        Settings(allowed_hosts=("*.straße.example",)).allows_host,
        ProbeOptions(allowed_hosts=("*.straße.example",)).allows_host,
        lambda host: CredentialRule("env:A", "*.straße.example").covers("env:A", host),
    ):
        assert allows("mail.xn--strae-oqa.example")
        assert allows("Mail.STRAẞE.example.")
        assert not allows("mail.strasse.example")


def test_a_secret_that_goes_to_a_domain_that_only_looks_alike_goes_somewhere_new() -> None:
    old, new = (
        connector("x", imap=None, smtp=mail_server("x", "smtp", server=host))
        for host in ("mail.strasse.example", "mail.straße.example")
    )
    assert new_uses(stored(old), Snapshot.of((new,)), str)
    again = connector(
        "x", imap=None, smtp=mail_server("x", "smtp", server="MAIL.xn--strae-oqa.example")
    )
    assert not new_uses(stored(new), Snapshot.of((again,)), str)


@given(st.text(alphabet="aXn-.@\N{LATIN SMALL LETTER U WITH DIAERESIS}", max_size=12))
def test_an_address_in_ascii_has_the_key_of_its_two_parts(text: str) -> None:
    local, at, domain = text.rpartition("@")
    assert address_key(text) == (f"{local}@".lower() + domain_key(domain) if at else text.lower())
