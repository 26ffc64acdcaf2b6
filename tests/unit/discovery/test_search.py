"""The search asks its sources in order, stops at the first that knows, and reports what each answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dns.message
import dns.rcode
import pytest

from reconciler.config.load import built_in_providers
from reconciler.discovery.dns import NameServer
from reconciler.discovery.found import Lookup, Source
from reconciler.discovery.search import Network, search
from reconciler.model.connector import Security
from tests.mail_domain import (
    DOMAIN,
    MailDomain,
    autoconfig,
    http,
    imap_greeting,
    smtp_greeting,
    swallow,
)

if TYPE_CHECKING:
    from tests.hostile.server import Script

ADDRESS: Final = f"support@{DOMAIN}"
SITE: Final = f"autoconfig.{DOMAIN}"


def looked(domain: MailDomain, *, address: str = ADDRESS, seconds: float = 10) -> list[Lookup]:
    network = Network(
        NameServer(domain.names.place), domain.connect_to, domain.ca_file, seconds=seconds
    )
    return list(search(address, built_in_providers(), network))


def servers(lookups: list[Lookup]) -> list[str]:
    found = lookups[-1].found
    return [] if found is None else [str(item) for item in found.servers]


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("ada@gmail.com", "gmail"),
        ("ada@GoogleMail.com", "gmail"),
        ("ada@contoso.onmicrosoft.com", "microsoft365"),
        ("ada@hotmail.co.uk", "outlook.com"),
        ("ada@web.de", "web.de"),
        ("ada@notgmail.com", None),
        ("ada@gmail.com.evil.example", None),
        ("ada@sub.web.de", None),
    ],
)
def test_a_provider_is_known_by_the_whole_domain(address: str, provider: str | None) -> None:
    (lookup,) = search(address, built_in_providers(), None)
    found = lookup.found.provider if lookup.found else None
    assert (found.name if found else None) == provider


def test_the_sources_are_asked_in_order_and_each_says_what_it_found(domain: MailDomain) -> None:
    lookups = looked(domain)
    assert [item.source for item in lookups] == [
        Source.PROVIDER, Source.MX, Source.AUTOCONFIG, Source.SRV, Source.GUESS,
    ]  # fmt: skip
    assert [item.found for item in lookups] == [None] * 5
    assert all(item.answer for item in lookups)
    assert domain.names.questions == [
        DOMAIN, f"_imaps._tcp.{DOMAIN}", f"_imap._tcp.{DOMAIN}",
        f"_submissions._tcp.{DOMAIN}", f"_submission._tcp.{DOMAIN}",
    ]  # fmt: skip


def test_the_most_preferred_mail_exchanger_tells_the_provider(domain: MailDomain) -> None:
    domain.mx("contoso-example.mail.protection.outlook.com", "aspmx.l.google.com")
    found = looked(domain)[-1].found
    assert found is not None
    assert found.source is Source.MX
    assert found.provider is not None
    assert found.provider.name == "microsoft365"
    assert found.outside(DOMAIN) == ()


def test_a_null_mx_record_is_reported_as_no_mail(domain: MailDomain) -> None:
    domain.names.records[DOMAIN, "MX"] = ["0 ."]  # RFC 7505
    assert looked(domain)[1].answer == f"{DOMAIN} has none"


def test_the_file_of_the_domain_is_read_over_https(domain: MailDomain) -> None:
    site = domain.serve(SITE, 443, http(200, autoconfig()))
    lookups = looked(domain)
    assert lookups[-1].source is Source.AUTOCONFIG
    assert servers(lookups) == [
        f"IMAP imap.{DOMAIN}:993, implicit TLS",
        f"SMTP smtp.{DOMAIN}:587, STARTTLS",
    ]
    assert site.lines[0] == "GET /mail/config-v1.1.xml HTTP/1.1"
    assert "support" not in domain.said, "the address is nobody's business"


def test_the_second_place_of_the_file_is_tried_too(domain: MailDomain) -> None:
    domain.serve(SITE, 443, http(404))
    site = domain.serve(DOMAIN, 443, http(200, autoconfig()))
    lookups = looked(domain)
    assert lookups[-1].answer == f"https://{DOMAIN}/.well-known/autoconfig/mail/config-v1.1.xml"
    assert site.lines[0].startswith("GET /.well-known/autoconfig/mail/")


def test_servers_of_a_provider_become_the_provider(domain: MailDomain) -> None:
    file = autoconfig("outlook.office365.com", "smtp.office365.com")
    domain.serve(SITE, 443, http(200, file))
    found = looked(domain)[-1].found
    assert found is not None
    assert found.provider is not None
    assert found.provider.name == "microsoft365"


def test_redirections_are_followed_only_to_https(domain: MailDomain) -> None:
    domain.serve(SITE, 443, http(302, Location="https://elsewhere.example/a.xml"))
    domain.serve("elsewhere.example", 443, http(200, autoconfig()))
    assert looked(domain)[-1].source is Source.AUTOCONFIG


@pytest.mark.parametrize(
    "target",
    [
        "http://elsewhere.example/a.xml",
        "https://elsewhere.example:8443/a.xml",
        "https://user:secret@elsewhere.example/a.xml",
        "https://127.0.0.1/a.xml",
        "https://0x7f.1/a.xml",
        "https://2130706433/",
        "https://[::1]/a.xml",
        "https://[/a.xml",
        "file:///etc/passwd",
        "//localhost/a.xml",
    ],
)
def test_redirections_to_anything_else_are_refused(domain: MailDomain, target: str) -> None:
    domain.serve(SITE, 443, http(302, Location=target))
    elsewhere = domain.serve("elsewhere.example", 443, http(200, autoconfig()))
    lookup = looked(domain)[2]
    assert lookup.found is None
    assert f"{SITE}: a redirection to" in lookup.answer
    assert elsewhere.lines == []


def test_a_loop_of_redirections_ends(domain: MailDomain) -> None:
    site = domain.serve(SITE, 443, http(302, Location=f"https://{SITE}/again"))
    assert "more than 3 redirections" in looked(domain)[2].answer
    assert len(site.peers) == 4


ENTITIES: Final = "".join(
    f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 12)
)
BOMB: Final = f'<!DOCTYPE x [<!ENTITY l0 "lol">{ENTITIES}]><clientConfig>&l11;</clientConfig>'
EXTERNAL: Final = (
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><clientConfig>&e;</clientConfig>'
)
HEAD: Final = "<clientConfig><emailProvider><incomingServer type='imap'><hostname>"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (BOMB, "declares a document type or entities"),
        (EXTERNAL, "declares a document type or entities"),
        ("<html><body>Welcome</body></html>", "does not begin with <clientConfig>"),
        ("{}", "not XML"),
        ("", "not XML"),
        ("<clientConfig>", "not XML"),
        ("<clientConfig>" + "<a>" * 100, "too many elements"),
        ("<clientConfig>" + "<a/>" * 5000, "too many elements"),
        (HEAD + "a" * 600, "too long"),
        (HEAD + "a\x00b", "not XML"),
        ("<clientConfig/>", "names no IMAP or SMTP server with TLS"),
        ("<?xml version='1.0' encoding='no-such'?><clientConfig/>", "not XML"),
        (" " * 140_000, "more than"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(
    domain: MailDomain, body: str, reason: str
) -> None:
    domain.serve(SITE, 443, http(200, body.encode()))
    lookup = looked(domain)[2]
    assert lookup.found is None
    assert reason in lookup.answer
    assert "lol" not in lookup.answer


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "imap", "[::1]", "im ap.example", "imap.example/x", "a@b.example", "&#x202e;.example",
     "-x.example", "x" * 64 + ".example", ".".join(["abcdefgh"] * 40)],
)  # fmt: skip
def test_text_that_is_not_a_host_name_is_rejected(domain: MailDomain, host: str) -> None:
    domain.serve(SITE, 443, http(200, autoconfig(imap=host)))
    assert servers(looked(domain)) == [f"SMTP smtp.{DOMAIN}:587, STARTTLS"]


@pytest.mark.parametrize(
    "change", [("993</port><socketType>SSL", "143</port><socketType>plain"), ("993", "0"),
               ("993", "99999"), ("993", "\N{FULLWIDTH DIGIT NINE}93")],
)  # fmt: skip
def test_a_server_without_tls_or_with_no_port_is_left_out(
    domain: MailDomain, change: tuple[str, str]
) -> None:
    domain.serve(SITE, 443, http(200, autoconfig().decode().replace(*change, 1).encode()))
    assert servers(looked(domain)) == [f"SMTP smtp.{DOMAIN}:587, STARTTLS"]


def _drip(peer: object) -> None:
    peer.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000)  # type: ignore[attr-defined]


def _endless(peer: object) -> None:
    while True:
        peer.send(b"A" * 65_536)  # type: ignore[attr-defined]


@pytest.mark.parametrize("script", [swallow, _drip, _endless, lambda _peer: None])
def test_a_site_that_stalls_or_floods_does_not_hold_the_search_up(
    domain: MailDomain, script: Script
) -> None:
    domain.serve(SITE, 443, script)
    domain.srv("_imaps", f"0 1 993 imap.{DOMAIN}")
    assert looked(domain, seconds=3)[-1].source is Source.SRV


def test_a_site_with_the_wrong_certificate_is_not_read(domain: MailDomain) -> None:
    site = domain.serve(SITE, 443, http(200, autoconfig()), domain.wrong)
    lookup = looked(domain)[2]
    assert f"the certificate of {SITE} is not valid" in lookup.answer
    assert site.lines == []


def test_service_records_are_taken_with_implicit_tls_first(domain: MailDomain) -> None:
    domain.srv("_imap", f"0 1 143 old.{DOMAIN}")
    domain.srv("_imaps", f"10 1 1993 second.{DOMAIN}", f"0 1 993 imap.{DOMAIN}")
    domain.srv("_submission", f"0 5 587 light.{DOMAIN}", f"0 9 587 heavy.{DOMAIN}")
    found = looked(domain)[-1].found
    assert found is not None
    assert servers(looked(domain)) == [
        f"IMAP imap.{DOMAIN}:993, implicit TLS",
        f"SMTP heavy.{DOMAIN}:587, STARTTLS",
    ]
    assert found.outside(DOMAIN) == ()


def test_targets_in_another_domain_are_known_as_such(domain: MailDomain) -> None:
    domain.srv("_imaps", "0 1 993 imap.evil.example")
    domain.srv("_submissions", f"0 1 465 smtp.{DOMAIN}.evil.example")
    found = looked(domain)[-1].found
    assert found is not None
    assert found.outside(DOMAIN) == ("imap.evil.example", f"smtp.{DOMAIN}.evil.example")


@pytest.mark.parametrize(
    "target", [".", "im\\000ap.example.", "a\\027[31m.example.", "a\\032b.example.", "x."]
)
def test_a_service_that_is_not_offered_or_has_no_host_name_is_left_out(
    domain: MailDomain, target: str
) -> None:
    domain.names.records[f"_imaps._tcp.{DOMAIN}", "SRV"] = [f"0 0 993 {target}"]
    assert looked(domain)[3].found is None


def _fails(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.SERVFAIL)
    return response.to_wire()


@pytest.mark.parametrize("answer", [_fails, lambda _query: b"\0" * 40, lambda _query: None])
def test_a_failing_name_server_is_reported_and_the_search_continues(
    domain: MailDomain, answer: object
) -> None:
    domain.names.answer = answer  # type: ignore[assignment]
    domain.serve(SITE, 443, http(200, autoconfig()))
    lookups = looked(
        domain, seconds=4
    )  # half of what is left is for the page, on a busy machine too
    assert lookups[1].answer in {
        "the name servers gave no usable answer", "no name server answered in time",
    }  # fmt: skip
    assert lookups[-1].source is Source.AUTOCONFIG


def test_a_guess_is_checked_with_tls_and_without_a_credential(domain: MailDomain) -> None:
    domain.serve(f"imap.{DOMAIN}", 993, imap_greeting, domain.wrong)
    domain.serve(f"mail.{DOMAIN}", 993, imap_greeting)
    domain.serve(f"mail.{DOMAIN}", 465, smtp_greeting)
    lookups = looked(domain)
    assert lookups[-1].source is Source.GUESS
    assert servers(lookups) == [
        f"IMAP mail.{DOMAIN}:993, implicit TLS",
        f"SMTP mail.{DOMAIN}:465, implicit TLS",
    ]
    words = {line.split()[0].upper() for line in domain.said.splitlines() if line}
    assert words <= {"EHLO"}, "nothing but a greeting is said"


def test_a_guess_that_speaks_another_protocol_is_rejected(domain: MailDomain) -> None:
    domain.serve(f"imap.{DOMAIN}", 993, http(200, b"hello"))
    domain.serve(f"smtp.{DOMAIN}", 465, imap_greeting)
    assert looked(domain, seconds=3)[-1].found is None


def test_starttls_is_found_where_implicit_tls_is_not_offered(domain: MailDomain) -> None:
    from tests.hostile.server import HostileServer, Peer

    def upgrade(peer: Peer) -> None:
        peer.send("220 mail ready\r\n")
        peer.line()
        peer.send("250-mail\r\n250 STARTTLS\r\n")
        peer.line()
        peer.send("220 go\r\n")
        peer.start_tls(domain.context)
        peer.hold()

    with HostileServer(upgrade) as server:
        domain.servers[f"smtp.{DOMAIN}", 587] = server
        found = looked(domain)[-1].found
    assert found is not None
    assert found.smtp is not None
    assert (found.smtp.port, found.smtp.security) == (587, Security.STARTTLS)
