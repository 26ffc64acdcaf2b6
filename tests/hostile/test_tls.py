from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from tests.hostile.scripts import hang_up, hold, imap, smtp

if TYPE_CHECKING:
    import ssl

    from tests.hostile.conftest import Attack, Certificates
    from tests.hostile.scripts import Answer
    from tests.hostile.server import Peer, Script

SERVERS = {Protocol.IMAP: imap, Protocol.SMTP: smtp}
BOTH = pytest.mark.parametrize("protocol", list(Protocol))
BRIEFLY = ProbeOptions(timeout=3, retries=0)
"""For a server that waits for us while we wait for it: part of this time always passes."""
MODES = pytest.mark.parametrize("security", [Security.IMPLICIT, Security.STARTTLS])
WITH_STARTTLS: dict[Protocol, dict[str, Answer]] = {
    Protocol.IMAP: {"greeting": "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n"},
    Protocol.SMTP: {"EHLO": "250-hostile.example\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"},
}


def offering_starttls(protocol: Protocol, context: ssl.SSLContext | None) -> Script:
    return SERVERS[protocol](context, **WITH_STARTTLS[protocol])


@BOTH
@MODES
@pytest.mark.parametrize(
    ("kind", "error_class"),
    [
        ("untrusted", ErrorClass.CERT_UNTRUSTED),
        ("self_signed", ErrorClass.CERT_UNTRUSTED),
        ("wrong_name", ErrorClass.CERT_HOSTNAME),
        ("expired", ErrorClass.CERT_EXPIRED),
    ],
)
def test_a_bad_certificate_ends_it_before_any_secret_is_sent(
    attack: Attack,
    certificates: Certificates,
    protocol: Protocol,
    security: Security,
    kind: str,
    error_class: ErrorClass,
) -> None:
    context = getattr(certificates, kind)
    if security is Security.IMPLICIT:
        found = attack(protocol, SERVERS[protocol](), context=context)
    else:
        found = attack(protocol, offering_starttls(protocol, context), security=security)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, error_class)
    assert not found.server.commands("AUTH", "AUTHENTICATE", "LOGIN")


@BOTH
def test_tls_on_a_plain_port_is_the_wrong_mode_and_starttls_is_named(
    attack: Attack, certificates: Certificates, protocol: Protocol
) -> None:
    script = offering_starttls(protocol, certificates.good)
    found = attack(protocol, script, security=Security.IMPLICIT, plain=True)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.TLS_MODE_MISMATCH)
    assert "security: starttls" in failure.remedy
    assert not found.server.commands("AUTH", "AUTHENTICATE", "LOGIN")


@BOTH
def test_tls_on_a_port_that_never_does_it_gets_no_advice_to_use_plain_text(
    attack: Attack, protocol: Protocol
) -> None:
    found = attack(protocol, SERVERS[protocol](), security=Security.IMPLICIT, plain=True)
    _, failure = found.failure
    assert failure.error_class is ErrorClass.TLS_MODE_MISMATCH
    assert "security: none" not in failure.remedy


@BOTH
@pytest.mark.parametrize(
    ("security", "stage"),
    [(Security.STARTTLS, Stage.TLS), (Security.NONE, Stage.CAPABILITIES)],
)
def test_plain_text_on_a_tls_port_is_the_wrong_mode_and_not_a_timeout(
    attack: Attack,
    certificates: Certificates,
    protocol: Protocol,
    security: Security,
    stage: Stage,
) -> None:
    found = attack(
        protocol, SERVERS[protocol](), security=security, context=certificates.good, options=BRIEFLY
    )
    where, failure = found.failure
    assert (where, failure.error_class) == (stage, ErrorClass.TLS_MODE_MISMATCH)
    assert "security: implicit" in failure.remedy


@BOTH
def test_a_tls_port_with_a_bad_certificate_is_still_the_wrong_mode(
    attack: Attack, certificates: Certificates, protocol: Protocol
) -> None:
    context = certificates.untrusted
    found = attack(
        protocol,
        SERVERS[protocol](),
        security=Security.STARTTLS,
        context=context,
        options=BRIEFLY,
    )
    assert found.failure[1].error_class is ErrorClass.TLS_MODE_MISMATCH


@BOTH
def test_without_starttls_on_offer_nothing_is_sent_in_plain_text(
    attack: Attack, protocol: Protocol
) -> None:
    found = attack(protocol, SERVERS[protocol](), security=Security.STARTTLS)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.STARTTLS_MISSING)
    assert not found.server.commands("AUTH", "AUTHENTICATE", "LOGIN")


@pytest.mark.parametrize(
    ("capabilities", "cause"),
    [("", "does not offer STARTTLS"), (" STARTTLS", "offers STARTTLS, but refuses to start it")],
)
def test_an_early_starttls_is_distinguished_from_a_refused_one(
    attack: Attack, capabilities: str, cause: str
) -> None:
    script = imap(
        greeting="* OK ready\r\n",
        STARTTLS="{tag} BAD what?\r\n",
        CAPABILITY=f"* CAPABILITY IMAP4rev1{capabilities}\r\n{{tag}} OK done\r\n",
    )
    found = attack(Protocol.IMAP, script, security=Security.STARTTLS)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.STARTTLS_MISSING)
    assert cause in failure.cause
    assert not found.server.commands("AUTH", "AUTHENTICATE", "LOGIN")


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        (Protocol.IMAP, "{tag} NO not today\r\n"),
        (Protocol.IMAP, "{tag} BAD what?\r\n"),
        (Protocol.SMTP, "502 5.5.1 what?\r\n"),
    ],
)
def test_starttls_that_is_offered_and_refused_is_missing_too(
    attack: Attack, protocol: Protocol, answer: str
) -> None:
    script = SERVERS[protocol](**WITH_STARTTLS[protocol], STARTTLS=answer)
    found = attack(protocol, script, security=Security.STARTTLS)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.STARTTLS_MISSING)


def test_a_temporary_failure_of_starttls_is_not_a_rejection(attack: Attack) -> None:
    script = smtp(EHLO=WITH_STARTTLS[Protocol.SMTP]["EHLO"], STARTTLS="454 4.7.0 no TLS now\r\n")
    _, failure = attack(Protocol.SMTP, script, security=Security.STARTTLS).failure
    assert failure.error_class is ErrorClass.REFUSED


@pytest.mark.parametrize(
    ("protocol", "injected"),
    [
        (Protocol.IMAP, "{tag} OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n"),
        (Protocol.SMTP, "220 go\r\n250-hostile.example\r\n250 AUTH PLAIN\r\n"),
    ],
)
def test_text_injected_after_the_answer_to_starttls_is_refused(
    attack: Attack, protocol: Protocol, injected: str
) -> None:
    script = SERVERS[protocol](**WITH_STARTTLS[protocol], STARTTLS=injected)
    found = attack(protocol, script, security=Security.STARTTLS)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.PROTOCOL)
    assert not found.server.commands("AUTH", "AUTHENTICATE", "LOGIN")


@pytest.mark.parametrize("protocol", list(Protocol))
def test_capabilities_from_before_tls_do_not_count_after_it(
    attack: Attack, certificates: Certificates, protocol: Protocol
) -> None:
    # Before TLS anybody may have put a mechanism there; the server's own list has none.
    found = (
        attack(
            protocol,
            imap(
                certificates.good,
                greeting="* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n",
                CAPABILITY="* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n",
            ),
            security=Security.STARTTLS,
        )
        if protocol is Protocol.IMAP
        else attack(
            protocol,
            smtp(certificates.good, EHLO=_once_with_auth),
            security=Security.STARTTLS,
        )
    )
    stage, failure = found.failure
    assert failure.error_class in {ErrorClass.AUTH_MECH_UNAVAILABLE, ErrorClass.PROTOCOL}
    assert stage in {Stage.AUTHENTICATION, Stage.TLS}


def _once_with_auth(peer: Peer, _: str) -> None:
    first = len([line for line in peer.lines if line.upper().startswith("EHLO")]) == 1
    peer.send("250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n" if first else "250 x\r\n")


def test_a_session_that_claims_to_be_signed_in_is_not_believed(attack: Attack) -> None:
    script = imap(greeting="* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n")
    for security in (Security.STARTTLS, Security.NONE, Security.IMPLICIT):
        _, failure = attack(Protocol.IMAP, script, security=security).failure
        assert failure.error_class is ErrorClass.PROTOCOL


@BOTH
def test_a_handshake_that_never_ends_ends_at_the_deadline(
    attack: Attack, protocol: Protocol
) -> None:
    found = attack(protocol, lambda peer: peer.hold(), plain=True, hangs_at=Stage.TLS)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.TIMEOUT)


@BOTH
def test_a_connection_that_is_closed_at_once_is_refused(attack: Attack, protocol: Protocol) -> None:
    found = attack(protocol, lambda peer: peer.send(b""), plain=True)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.REFUSED)


@BOTH
def test_nonsense_instead_of_a_handshake_violates_the_protocol(
    attack: Attack, protocol: Protocol
) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"\x00\x01\x02 what is this?\r\n" * 10)
        peer.hold()

    found = attack(protocol, script, plain=True)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.PROTOCOL)


@BOTH
@pytest.mark.parametrize("answer", [hold, hang_up])
def test_a_server_that_falls_silent_at_starttls(
    attack: Attack, protocol: Protocol, answer: Answer
) -> None:
    script = SERVERS[protocol](**WITH_STARTTLS[protocol], STARTTLS=answer)
    found = attack(protocol, script, security=Security.STARTTLS, hangs_at=Stage.TLS)
    stage, failure = found.failure
    assert stage is Stage.TLS
    expected = ErrorClass.TIMEOUT if answer is hold else ErrorClass.PROTOCOL
    assert failure.error_class is expected
