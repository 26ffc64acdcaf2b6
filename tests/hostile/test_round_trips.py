"""How often a test waits for the server, counted at the server: this, not the CPU, is its cost.

A round trip is one wait of the client for an answer, including the greeting. TCP takes one more, and TLS
another (RFC 8446 section 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import Stage
from reconciler.connection.options import ProbeOptions
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from tests.hostile.scripts import CAPABILITIES, imap, smtp

if TYPE_CHECKING:
    from tests.hostile.conftest import Attack, Certificates
    from tests.hostile.scripts import Answer

PATIENT = ProbeOptions(timeout=10, retries=0)
LOGIN_ONLY = ProbeOptions(timeout=10, retries=0, depth=Stage.AUTHENTICATION)
TCP_AND_TLS = 2
IMPLICIT, STARTTLS = Security.IMPLICIT, Security.STARTTLS

SILENT = "* OK ready\r\n"
LISTS_NOTHING_AT_LOGIN = "{tag} OK welcome\r\n"
NO_INITIAL_RESPONSE = CAPABILITIES.replace("SASL-IR ", "")
PIPELINING = "250-hostile.example\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN\r\n"


@pytest.mark.parametrize(
    ("security", "answers", "login", "whole"),
    [
        # greeting, AUTHENTICATE; NAMESPACE, LIST and EXAMINE together
        (IMPLICIT, {}, 2, 3),
        # a greeting that lists no capabilities: they are asked for
        (IMPLICIT, {"greeting": SILENT}, 3, 4),
        # a login that lists none: what was said before it is good enough
        (IMPLICIT, {"AUTHENTICATE": LISTS_NOTHING_AT_LOGIN}, 2, 3),
        # no initial response: LOGIN instead
        (IMPLICIT, {"greeting": f"* OK [CAPABILITY {NO_INITIAL_RESPONSE}] ready\r\n"}, 2, 3),
        # greeting, STARTTLS, CAPABILITY, AUTHENTICATE; the three together
        (STARTTLS, {"greeting": f"* OK [CAPABILITY STARTTLS {CAPABILITIES}] hi\r\n"}, 4, 5),
        # a greeting that lists no capabilities, which are only asked for after STARTTLS
        (
            STARTTLS,
            {
                "greeting": SILENT,
                "CAPABILITY": f"* CAPABILITY STARTTLS {CAPABILITIES}\r\n{{tag}} OK done\r\n",
            },
            4,
            5,
        ),
    ],
)
def test_an_imap_login_takes_at_most_six_round_trips_with_tcp_and_tls(
    attack: Attack,
    certificates: Certificates,
    security: Security,
    answers: dict[str, Answer],
    login: int,
    whole: int,
) -> None:
    for options, expected in ((LOGIN_ONLY, login), (PATIENT, whole)):
        found = attack(
            Protocol.IMAP,
            imap(certificates.good, **answers),
            security=security,
            options=options,
        )
        assert found.result.failed is None, found.result
        assert found.server.peers[0].round_trips == expected
    assert login + TCP_AND_TLS <= 6
    assert whole <= 6


@pytest.mark.parametrize(
    ("security", "ehlo", "login", "whole"),
    [
        # greeting, EHLO, AUTH; MAIL, RCPT and RSET together
        (IMPLICIT, PIPELINING, 3, 4),
        # MAIL and RCPT one after the other; QUIT, whose answer is not awaited, replaces RSET
        (IMPLICIT, PIPELINING.replace("250-PIPELINING\r\n", ""), 3, 5),
        # greeting, EHLO, STARTTLS, EHLO again, AUTH
        (STARTTLS, PIPELINING.replace("250 ", "250-STARTTLS\r\n250 "), 5, 6),
        (STARTTLS, "250-hostile.example\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", 5, 7),
    ],
)
def test_an_smtp_login_takes_at_most_seven_round_trips_with_tcp_and_tls(
    attack: Attack,
    certificates: Certificates,
    security: Security,
    ehlo: str,
    login: int,
    whole: int,
) -> None:
    for options, expected in ((LOGIN_ONLY, login), (PATIENT, whole)):
        found = attack(
            Protocol.SMTP,
            smtp(certificates.good, EHLO=ehlo),
            security=security,
            options=options,
        )
        assert found.result.failed is None, found.result
        assert found.server.peers[0].round_trips == expected
    assert login + TCP_AND_TLS <= 7
    assert whole <= 7
