"""Servers that refuse, in every way they can."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import SaveSent, Security
from reconciler.model.protocol import Protocol
from reconciler.probe.runner import run
from reconciler.values import replace
from tests.hostile.conftest import HOST, PASSWORD, Passwords, connector_for
from tests.hostile.scripts import imap, in_turn, smtp

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.conftest import Attack, Certificates
    from tests.hostile.scripts import Answer
    from tests.hostile.server import HostileServer, Peer

IMAP, SMTP = Protocol.IMAP, Protocol.SMTP
SERVERS = {IMAP: imap, SMTP: smtp}
PATIENT = ProbeOptions(timeout=5, retries=1)


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        ("NO [AUTHENTICATIONFAILED] Invalid credentials", ErrorClass.AUTH_REJECTED),
        ("NO LOGIN failed.", ErrorClass.AUTH_REJECTED),
        ("NO [AUTHORIZATIONFAILED] not yours", ErrorClass.AUTH_REJECTED),
        ("NO [EXPIRED] password expired", ErrorClass.AUTH_REJECTED),
        ("NO [ALERT] Application-specific password required", ErrorClass.AUTH_REJECTED),
        ("NO [UNAVAILABLE] backend is down", ErrorClass.REFUSED),
        ("NO [LIMIT] too many connections", ErrorClass.RATE_LIMITED),
        ("NO [INUSE] locked", ErrorClass.RATE_LIMITED),
        ("NO [OVERQUOTA] full", ErrorClass.QUOTA),
        ("NO [PRIVACYREQUIRED] use TLS", ErrorClass.TLS_MODE_MISMATCH),
        ("BAD no such mechanism", ErrorClass.AUTH_MECH_UNAVAILABLE),
        ("NO basic authentication is disabled", ErrorClass.AUTH_BASIC_DISABLED),
    ],
)
def test_what_imap_servers_answer_to_a_sign_in(
    attack: Attack, answer: str, error_class: ErrorClass
) -> None:
    found = attack(IMAP, imap(AUTHENTICATE=f"{{tag}} {answer}\r\n"))
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.AUTHENTICATION, error_class)
    assert failure.reply
    assert failure.error_class.unreachable is (error_class is ErrorClass.REFUSED)


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        ("535 5.7.8 Username and Password not accepted", ErrorClass.AUTH_REJECTED),
        ("535 5.7.3 Authentication unsuccessful", ErrorClass.AUTH_REJECTED),
        ("535 authentication failed", ErrorClass.AUTH_REJECTED),
        ("535 5.7.139 SmtpClientAuthentication is disabled", ErrorClass.SMTP_AUTH_DISABLED),
        ("535 5.7.139 the request did not meet the criteria", ErrorClass.SMTP_AUTH_DISABLED),
        ("535 5.7.139 user credentials were incorrect", ErrorClass.AUTH_REJECTED),
        ("535 5.7.139 basic authentication is disabled", ErrorClass.AUTH_BASIC_DISABLED),
        ("550 5.7.30 Basic authentication is not supported", ErrorClass.AUTH_BASIC_DISABLED),
        ("534 5.7.9 Application-specific password required", ErrorClass.AUTH_REJECTED),
        ("534 5.7.14 Please log in via your web browser", ErrorClass.AUTH_REJECTED),
        ("432 4.3.2 Concurrent connections limit exceeded", ErrorClass.RATE_LIMITED),
        ("454 4.7.0 Too many login attempts", ErrorClass.RATE_LIMITED),
        ("454 4.7.0 Temporary authentication failure", ErrorClass.REFUSED),
        ("504 5.5.4 Unrecognized authentication type", ErrorClass.AUTH_MECH_UNAVAILABLE),
        ("503 5.5.1 not now", ErrorClass.AUTH_MECH_UNAVAILABLE),
        ("538 5.7.11 Encryption required", ErrorClass.TLS_MODE_MISMATCH),
        ("530 5.7.0 Must issue a STARTTLS command first", ErrorClass.TLS_MODE_MISMATCH),
        ("421 4.7.0 Too many concurrent sessions", ErrorClass.RATE_LIMITED),
    ],
)
def test_what_smtp_servers_answer_to_a_sign_in(
    attack: Attack, answer: str, error_class: ErrorClass
) -> None:
    stage, failure = attack(SMTP, smtp(AUTH=f"{answer}\r\n")).failure
    assert (stage, failure.error_class) == (Stage.AUTHENTICATION, error_class)
    assert failure.reply == answer


@pytest.mark.parametrize(
    ("command", "answer", "error_class"),
    [
        ("MAIL", "550 5.7.60 SMTP; Client does not have permissions", ErrorClass.SEND_AS_DENIED),
        ("MAIL", "553 5.7.1 Sender address rejected", ErrorClass.SEND_AS_DENIED),
        ("RCPT", "554 5.2.252 SendAsDenied; support not allowed", ErrorClass.SEND_AS_DENIED),
        ("RCPT", "554 5.7.1 Relay access denied", ErrorClass.RECIPIENT_REJECTED),
        ("RCPT", "450 4.7.0 not now", ErrorClass.RECIPIENT_REJECTED),
        ("RCPT", "550 5.1.0 Sender address rejected: User unknown", ErrorClass.SEND_AS_DENIED),
        ("RCPT", "550 5.1.8 Sender address rejected: no domain", ErrorClass.SEND_AS_DENIED),
        ("RCPT", "553 sender rejected", ErrorClass.SEND_AS_DENIED),
        ("RCPT", "450 4.1.8 Sender address rejected", ErrorClass.RECIPIENT_REJECTED),
        ("RCPT", "451 4.7.1 Greylisted", ErrorClass.RATE_LIMITED),
        ("MAIL", "550 5.4.5 Daily user sending limit exceeded", ErrorClass.QUOTA),
        ("MAIL", "452 4.3.1 no space", ErrorClass.RATE_LIMITED),
    ],
)
def test_what_smtp_servers_answer_to_an_envelope(
    attack: Attack, command: str, answer: str, error_class: ErrorClass
) -> None:
    stage, failure = attack(SMTP, smtp(**{command: f"{answer}\r\n"})).failure
    assert (stage, failure.error_class) == (Stage.ENVELOPE, error_class)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("550 5.1.1 unknown user", "has no mailbox for"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound", "has no mailbox for"),
        ("550 no such user here", "has no mailbox for"),
        ("552 5.2.2 Mailbox full", "takes no mail for"),
        ("452 4.2.2 over quota", "takes no mail for"),
        ("552 mailbox is full", "takes no mail for"),
        ("450 4.2.1 receiving mail too quickly", "takes no mail for"),
        ("450 4.1.1 unverified address", "takes no mail for"),
    ],
)
def test_a_mailbox_that_takes_no_mail_does_not_keep_an_account_from_sending(
    attack: Attack, answer: str, said: str
) -> None:
    found = attack(SMTP, smtp(RCPT=f"{answer}\r\n"))
    assert found.result.failed is None, found.result
    (warning,) = [stage.warning for stage in found.result.stages if stage.warning]
    assert said in warning
    assert f"({answer[:3]})" in warning
    settings = {"test_recipient": "other@hostile.example"}
    named = attack(
        SMTP,
        smtp(RCPT=f"{answer}\r\n"),
        connector=connector_for(SMTP, Security.IMPLICIT, **settings),
    )
    assert named.failure[0] is Stage.ENVELOPE, "the recipient that is named has to take mail"


@pytest.mark.parametrize(
    ("protocol", "greeting", "error_class"),
    [
        (IMAP, "* BYE not here\r\n", ErrorClass.REFUSED),
        (IMAP, "* BYE [UNAVAILABLE] down\r\n", ErrorClass.REFUSED),
        (IMAP, "* BYE too many connections\r\n", ErrorClass.RATE_LIMITED),
        (IMAP, "220 smtp.example ESMTP\r\n", ErrorClass.PROTOCOL),
        (IMAP, "+OK POP3 ready\r\n", ErrorClass.PROTOCOL),
        (IMAP, "* OK\r\n", ErrorClass.PROTOCOL),
        (IMAP, "HTTP/1.1 400 Bad Request\r\n", ErrorClass.PROTOCOL),
        (SMTP, "554 5.7.1 no service for you\r\n", ErrorClass.REFUSED),
        (SMTP, "421 4.3.2 shutting down\r\n", ErrorClass.REFUSED),
        (SMTP, "* OK IMAP4rev1\r\n", ErrorClass.PROTOCOL),
        (SMTP, "354 go ahead\r\n", ErrorClass.PROTOCOL),
    ],
)
def test_an_invalid_greeting_fails_at_the_capabilities(
    attack: Attack, protocol: Protocol, greeting: str, error_class: ErrorClass
) -> None:
    def script(peer: Peer) -> None:
        peer.send(greeting)

    stage, failure = attack(protocol, script).failure
    assert (stage, failure.error_class) == (Stage.CAPABILITIES, error_class)


@pytest.mark.parametrize(
    ("protocol", "greeting", "speaks"),
    [
        (IMAP, "220 smtp.example ESMTP\r\n", "SMTP"),
        (IMAP, "+OK POP3 ready\r\n", "POP3"),
        (SMTP, "* OK IMAP4rev1\r\n", "IMAP"),
        (SMTP, "HTTP/1.1 400 Bad Request\r\n", "HTTP"),
    ],
)
def test_another_protocol_on_the_port_is_named(
    attack: Attack, protocol: Protocol, greeting: str, speaks: str
) -> None:
    _, failure = attack(protocol, lambda peer: peer.send(greeting)).failure
    assert f"speaks {speaks}" in failure.cause


@pytest.mark.parametrize("command", ["LIST", "EXAMINE"])
@pytest.mark.parametrize(
    "answer", ["{tag} BAD User is authenticated but not connected.", "{tag} NO no"]
)
def test_signing_in_to_an_account_without_a_mailbox_fails(
    attack: Attack, command: str, answer: str
) -> None:
    stage, failure = attack(IMAP, imap(**{command: f"{answer}\r\n"})).failure
    assert (stage, failure.error_class) == (Stage.MAILBOX, ErrorClass.MAILBOX_NOT_CONNECTED)


@pytest.mark.parametrize("command", ["LIST", "EXAMINE"])
def test_a_server_that_hangs_up_says_nothing_about_the_mailbox(
    attack: Attack, command: str
) -> None:
    script = imap(**{command: "* BYE gone\r\n"})
    stage, failure = attack(IMAP, script, hangs_at=Stage.MAILBOX).failure
    assert (stage, failure.error_class) == (Stage.MAILBOX, ErrorClass.PROTOCOL)
    assert failure.cause == "hostile.example closed the connection after the sign-in."
    assert failure.reply == "BYE gone"


@pytest.mark.parametrize("command", ["AUTHENTICATE", "LOGIN"])
def test_bye_is_not_a_wrong_password(attack: Attack, command: str) -> None:
    capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN" if command == "AUTHENTICATE" else "IMAP4rev1"
    greeting = f"* OK [CAPABILITY {capabilities}] hi\r\n"
    script = imap(greeting=greeting, **{command: "* BYE server is going down\r\n"})
    stage, failure = attack(IMAP, script).failure
    assert (stage, failure.error_class) == (Stage.AUTHENTICATION, ErrorClass.PROTOCOL)
    assert not failure.wrong_password


@pytest.mark.parametrize("command", ["EHLO", "AUTH", "MAIL", "RCPT", "RSET"])
def test_421_is_temporary_at_every_stage(attack: Attack, command: str) -> None:
    good, bad = smtp(), smtp(**{command: "421 4.3.2 closing\r\n"})
    failure = attack(SMTP, bad).failure[1] if command != "RSET" else None
    assert failure is None or failure.error_class is ErrorClass.REFUSED
    found = attack(SMTP, in_turn(bad, good), options=PATIENT)
    assert found.result.failed is None, found.result


def test_a_missing_inbox_is_a_missing_folder(attack: Attack) -> None:
    script = imap(EXAMINE="{tag} NO [NONEXISTENT] Unknown mailbox\r\n")
    assert attack(IMAP, script).failure[1].error_class is ErrorClass.FOLDER_MISSING


def test_bye_while_signing_in(attack: Attack) -> None:
    script = imap(AUTHENTICATE="* BYE Too many failed logins\r\n")
    stage, failure = attack(IMAP, script, hangs_at=Stage.AUTHENTICATION).failure
    assert (stage, failure.error_class) == (Stage.AUTHENTICATION, ErrorClass.RATE_LIMITED)


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [
        (SMTP, {"EHLO": "250 hostile.example\r\n"}),
        (SMTP, {"EHLO": "250-hostile.example\r\n250 AUTH\r\n"}),
        (SMTP, {"EHLO": "250-hostile.example\r\n250 AUTH GSSAPI NTLM SCRAM-SHA-256\r\n"}),
        (IMAP, {"greeting": "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n"}),
        (IMAP, {"greeting": "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI] hi\r\n"}),
    ],
)
def test_a_server_without_a_mechanism_that_we_support_fails(
    attack: Attack, protocol: Protocol, answers: dict[str, str]
) -> None:
    found = attack(protocol, SERVERS[protocol](**answers))
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.AUTHENTICATION, ErrorClass.AUTH_MECH_UNAVAILABLE)
    assert not found.server.commands("AUTH", "AUTHENTICATE", "LOGIN")


REJECTED: list[tuple[Protocol, dict[str, Answer]]] = [
    (IMAP, {"AUTHENTICATE": "{tag} NO [AUTHENTICATIONFAILED] no\r\n"}),
    (
        IMAP,
        {
            "greeting": "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=CRAM-MD5] hi\r\n",
            "LOGIN": "{tag} NO no\r\n",
            "AUTHENTICATE": "{tag} NO no\r\n",
        },
    ),
    (
        SMTP,
        {
            "EHLO": "250-x\r\n250 AUTH CRAM-MD5 PLAIN LOGIN\r\n",
            "AUTH": "535 5.7.8 no\r\n",
        },
    ),
]


@pytest.mark.parametrize(("protocol", "answers"), REJECTED)
def test_one_wrong_password_is_sent_exactly_once(
    attack: Attack, protocol: Protocol, answers: dict[str, Answer]
) -> None:
    script = SERVERS[protocol](**answers)
    found = attack(protocol, script, options=ProbeOptions(timeout=5, retries=5))
    assert found.failure[1].error_class is ErrorClass.AUTH_REJECTED
    assert len(found.server.commands("AUTH", "AUTHENTICATE", "LOGIN")) == 1
    assert len(found.server.peers) == 1


@pytest.mark.parametrize(
    ("answer", "tried"),
    [
        ("{tag} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n", 0),
        ("{tag} NO [EXPIRED] Password has expired\r\n", 0),
        ("{tag} NO [ALERT] Your account is not enabled for IMAP use.\r\n", 1),
        ("{tag} NO [AUTHORIZATIONFAILED] Not this mailbox\r\n", 1),
        ("{tag} NO [ALERT] Please log in via your web browser\r\n", 1),
    ],
)
def test_only_a_wrong_password_keeps_the_other_protocol_from_trying(
    serve: Callable[..., HostileServer], certificates: Certificates, answer: str, tried: int
) -> None:
    reads = serve(imap(AUTHENTICATE=answer), certificates.good)
    sends = serve(smtp(), certificates.good)
    connector = connector_for(SMTP, Security.IMPLICIT)
    assert connector.smtp is not None
    connector = replace(connector, imap=replace(connector.smtp, port=4712))
    options = replace(
        PATIENT,
        ca_file=str(certificates.ca_file),
        connect_to=ConnectTo.parse(
            [f"{HOST}:4711=127.0.0.1:{sends.port}", f"{HOST}:4712=127.0.0.1:{reads.port}"]
        ),
    )
    (result,) = run([replace(connector, save_sent=SaveSent.NEVER)], Passwords(), options)
    found = {account.protocol: account.failed for account in result.protocols}
    assert found[IMAP] is not None
    assert len(sends.commands("AUTH")) == tried
    assert (found[SMTP] is None) is bool(tried)


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [
        (SMTP, {"AUTH": "454 4.7.0 Temporary authentication failure\r\n"}),
        (SMTP, {"MAIL": "451 4.3.0 try again\r\n"}),
        (SMTP, {"RCPT": "450 4.2.0 try again\r\n"}),
        (SMTP, {"greeting": "421 4.3.2 not now\r\n"}),
        (IMAP, {"AUTHENTICATE": "{tag} NO [UNAVAILABLE] not now\r\n"}),
        (IMAP, {"LIST": "{tag} NO [UNAVAILABLE] not now\r\n"}),
    ],
)
def test_a_temporary_failure_is_retried_and_passes(
    attack: Attack, protocol: Protocol, answers: dict[str, str]
) -> None:
    good = SERVERS[protocol]
    script = in_turn(good(**answers), good())
    found = attack(protocol, script, options=PATIENT)
    assert found.result.failed is None, found.result
    assert len(found.server.peers) == 2


def test_too_many_logins_are_not_retried(attack: Attack) -> None:
    script = smtp(AUTH="454 4.7.0 Too many login attempts, please try again later\r\n")
    found = attack(SMTP, script, options=PATIENT)
    assert len(found.server.peers) == 1


def test_auth_login_is_sent_without_an_initial_response(
    attack: Attack,
) -> None:
    def login(peer: Peer, _: str) -> None:
        peer.send("334 VXNlcm5hbWU6\r\n")
        assert base64.b64decode(peer.line()) == b"support@hostile.example"
        peer.send("334 UGFzc3dvcmQ6\r\n")
        right = base64.b64decode(peer.line()).decode() == PASSWORD
        peer.send("235 ok\r\n" if right else "535 no\r\n")

    script = smtp(EHLO="250-x\r\n250 AUTH LOGIN\r\n", AUTH=login)
    assert attack(SMTP, script).result.failed is None


@pytest.mark.parametrize("security", [Security.NONE, Security.IMPLICIT])
def test_cram_md5_is_preferred_only_where_the_password_would_be_readable(
    attack: Attack, security: Security
) -> None:
    def auth(peer: Peer, arguments: str) -> None:
        if arguments.startswith("CRAM-MD5"):
            peer.send(f"334 {base64.b64encode(b'<1@x>').decode()}\r\n")
            peer.line()
        peer.send("235 ok\r\n")

    script = smtp(EHLO="250-x\r\n250 AUTH PLAIN CRAM-MD5\r\n", AUTH=auth)
    found = attack(SMTP, script, security=security)
    assert found.result.failed is None
    expected = "CRAM-MD5" if security is Security.NONE else "PLAIN"
    assert found.detail[Stage.AUTHENTICATION] == f"signed in with {expected}"


@pytest.mark.parametrize("challenge", ["334 \r\n", "334 !!!!\r\n", "334 cGFzcw==\r\n"])
def test_endless_challenges_are_abandoned(attack: Attack, challenge: str) -> None:
    def auth(peer: Peer, _: str) -> None:
        while True:
            peer.send(challenge)
            peer.line()

    stage, failure = attack(SMTP, smtp(AUTH=auth)).failure
    assert (stage, failure.error_class) == (Stage.AUTHENTICATION, ErrorClass.PROTOCOL)


def test_endless_challenges_are_abandoned_over_imap_too(attack: Attack) -> None:
    def auth(peer: Peer, _: str) -> None:
        while True:
            peer.send("+ cGFzcw==\r\n")
            peer.line()

    stage, failure = attack(IMAP, imap(AUTHENTICATE=auth)).failure
    assert (stage, failure.error_class) == (Stage.AUTHENTICATION, ErrorClass.PROTOCOL)


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({}, True),
        ({"sent_folder": "Sent"}, False),
        ({"enable_mail_send_from": True}, False),
        ({"enable_mail_send_from": True, "save_sent": SaveSent.NEVER}, True),
        ({"enable_mail_send_from": True, "files_sent_copies": True}, True),
        (
            {
                "enable_mail_send_from": True,
                "files_sent_copies": True,
                "save_sent": SaveSent.ALWAYS,
            },
            False,
        ),
    ],
)
def test_a_sent_folder_is_required_if_we_file_the_copies(
    attack: Attack, fields: dict[str, object], passes: bool
) -> None:
    connector = connector_for(IMAP, Security.IMPLICIT)
    both = connector_for(IMAP, Security.IMPLICIT, smtp=connector.imap, **fields)
    script = imap(LIST='* LIST () "/" INBOX\r\n{tag} OK done\r\n')
    found = attack(IMAP, script, connector=both)
    if passes:
        assert found.result.failed is None, found.result
    else:
        stage, failure = found.failure
        assert (stage, failure.error_class) == (Stage.MAILBOX, ErrorClass.FOLDER_MISSING)
