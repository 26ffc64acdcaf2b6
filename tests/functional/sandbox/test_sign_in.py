from __future__ import annotations

import gc
import json
import smtplib
import ssl
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from imapclient.exceptions import IMAPClientError, LoginError

from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

SECURED = [Security.IMPLICIT, Security.STARTTLS]


@pytest.mark.parametrize("security", list(Security))
def test_the_exported_password_signs_in_to_both_servers(
    security: Security, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support", security)
    with sandbox(support) as clients:
        imap = clients.signed_in_imap(support)
        assert imap.select_folder("INBOX", readonly=True)[b"EXISTS"] == 0
        assert clients.signed_in_smtp(support).noop()[0] == 250


@pytest.mark.parametrize("security", list(Security))
def test_a_wrong_password_and_an_unknown_user_are_refused_alike(
    security: Security, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector("support", security)) as clients:
        for user in ("support@corp.example", "nobody@corp.example"):
            with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
                clients.imap("support").login(user, "wrong")
            with pytest.raises(smtplib.SMTPAuthenticationError) as raised:
                clients.smtp("support").login(user, "wrong")
            assert raised.value.smtp_code == 535
            assert "5.7.8" in str(raised.value.smtp_error)


@pytest.mark.parametrize("security", SECURED)
def test_the_certificate_is_for_the_host_of_the_connector_and_no_other(
    security: Security, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector("support", security)) as clients:
        certificate = clients.smtp("support").sock.getpeercert()
        assert certificate["subjectAltName"] == (("DNS", "smtp.corp.example"),)
        certificate = clients.imap("support").socket().getpeercert()
        assert certificate["subjectAltName"] == (("DNS", "imap.corp.example"),)


@pytest.mark.parametrize("security", SECURED)
def test_a_client_that_does_not_trust_the_sandbox_refuses_it(
    security: Security, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector("support", security)) as clients:
        clients.trust = ssl.create_default_context()
        for connect in (clients.imap, clients.smtp):
            with pytest.raises(ssl.SSLCertVerificationError):
                connect("support")
    gc.collect()  # tasks that failed and were forgotten are reported when they are collected
    assert clients.session.journal.faults == ()


def test_before_starttls_nobody_can_sign_in(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector("support", Security.STARTTLS)) as clients:
        imap = clients.imap("support", starttls=False)
        assert imap.has_capability("LOGINDISABLED")
        assert imap.has_capability("STARTTLS")
        assert not any(item.startswith(b"AUTH=") for item in imap.capabilities())
        with pytest.raises(LoginError, match="LOGIN is disabled"):
            imap.login("support@corp.example", "wrong")
        imap.starttls(clients.trust)
        assert not imap.has_capability("LOGINDISABLED")
        assert not imap.has_capability("STARTTLS")
        assert imap.has_capability("AUTH=PLAIN")

        smtp = clients.smtp("support", starttls=False)
        assert not smtp.has_extn("auth")
        assert smtp.docmd("AUTH", "PLAIN")[0] == 530
        smtp.starttls(context=clients.trust)
        smtp.ehlo()
        assert smtp.esmtp_features["auth"].split() == ["LOGIN", "PLAIN", "XOAUTH2"]
        assert not smtp.has_extn("starttls")


@pytest.mark.parametrize("security", list(Security))
def test_the_smtp_server_advertises_what_clients_look_for(
    security: Security, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector("support", security)) as clients:
        features = clients.smtp("support").esmtp_features
        assert int(features["size"]) > 1_000_000
        assert {"8bitmime", "smtputf8", "auth"} <= features.keys()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_each_mechanism_of_smtp_takes_the_password(
    mechanism: str, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector()
    with sandbox(support) as clients:
        smtp = clients.smtp("support")
        smtp.user = "support@corp.example"
        smtp.password = clients.password(support.smtp)
        authobject = {"PLAIN": smtp.auth_plain, "LOGIN": smtp.auth_login}[mechanism]
        assert smtp.auth(mechanism, authobject)[0] == 235


def test_a_non_ascii_password_from_a_file_signs_in_by_plain(
    tmp_path: Any,
    sandbox: Callable[..., Any],
    server: Callable[..., MailServer],
) -> None:
    (tmp_path / "password").write_text("Pässwört 😀\n")
    user, reference = "info@corp.example", f"file:{tmp_path / 'password'}"
    info = Connector(
        name="info",
        display_name="info",
        imap=server("mail.corp.example", 993, Security.IMPLICIT, user, reference),
        smtp=server("mail.corp.example", 465, Security.IMPLICIT, user, reference),
        enable_mail_send_from=True,
        email_address=user,
    )
    with sandbox(info) as clients:
        clients.imap("info").plain_login(user, "Pässwört 😀")
        claim = b64encode(f"\0{user}\0Pässwört 😀".encode()).decode()
        assert clients.smtp("info").docmd("AUTH", f"PLAIN {claim}")[0] == 235
        with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
            clients.imap("info").plain_login(user, "Passwort 😀")


@pytest.mark.parametrize("security", SECURED)
def test_an_issued_token_signs_in_by_xoauth2(
    security: Security, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    user = "support@corp.example"
    with sandbox(connector("support", security)) as clients:
        token = clients.session.issue_token(user.upper())
        claim = f"user={user}\x01auth=Bearer {token}\x01\x01"
        imap = clients.imap("support")
        imap.sasl_login("XOAUTH2", lambda _: claim.encode())
        assert imap.list_folders()
        for first in (True, False):
            smtp = clients.smtp("support")
            code, _ = smtp.auth("XOAUTH2", lambda _=None: claim, initial_response_ok=first)
            assert code == 235


def test_the_reason_for_a_rejected_token_precedes_the_rejection(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    claim = "user=support@corp.example\x01auth=Bearer stolen\x01\x01"
    heard: list[bytes] = []

    def answer(challenge: bytes | None = None) -> bytes:
        if not challenge:
            return claim.encode()
        heard.append(challenge)
        return b""

    with sandbox(connector()) as clients:
        with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
            clients.imap("support").sasl_login("XOAUTH2", answer)
        with pytest.raises(smtplib.SMTPAuthenticationError) as raised:
            clients.smtp("support").auth("XOAUTH2", lambda item=None: answer(item).decode())
    assert raised.value.smtp_code == 535
    assert [json.loads(item)["status"] for item in heard] == ["401", "401"]


def test_a_token_may_be_long(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    claim = f"user=support@corp.example\x01auth=Bearer {'x' * 6000}\x01\x01"
    with sandbox(connector()) as clients:
        smtp = clients.smtp("support")
        assert smtp.docmd("AUTH", f"XOAUTH2 {b64encode(claim.encode()).decode()}")[0] == 334
        assert smtp.docmd("")[0] == 535


@pytest.mark.parametrize("response", ["!", "bm90IHhvYXV0aDI="], ids=["no base64", "no claim"])
def test_garbage_for_a_token_is_refused(
    response: str, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector()) as clients:
        smtp = clients.smtp("support")
        code, _ = smtp.docmd("AUTH", f"XOAUTH2 {response}")
        if code == 334:
            code, _ = smtp.docmd("")
        assert code in {501, 535}
        assert smtp.noop()[0] == 250


def test_a_token_that_is_withdrawn_by_the_client_ends_the_exchange(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector()) as clients:
        smtp = clients.smtp("support")
        assert smtp.docmd("AUTH", "XOAUTH2")[0] == 334
        assert smtp.docmd("*")[0] == 501
        assert smtp.noop()[0] == 250


def test_no_user_may_act_for_another(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support, info = connector("support"), connector("info")
    with sandbox(support, info) as clients, pytest.raises(LoginError, match="AUTHORIZATIONFAILED"):
        clients.imap("info").plain_login(
            "info@corp.example", clients.password(info.imap), "support@corp.example"
        )


def test_a_shared_account_takes_the_password_of_each_reference(
    sandbox: Callable[..., Any], server: Callable[..., MailServer]
) -> None:
    user = "office@corp.example"
    connectors = tuple(
        Connector(
            name=name,
            display_name=name,
            imap=server("imap.corp.example", 993, Security.IMPLICIT, user, reference),
        )
        for name, reference in (("first", "env:FIRST"), ("second", "env:SECOND"))
    )
    with sandbox(*connectors) as clients:
        first, second = (clients.signed_in_imap(item) for item in connectors)
        assert clients.password(connectors[0].imap) != clients.password(connectors[1].imap)
        first.append("INBOX", b"Subject: shared\r\n\r\n")
        assert second.select_folder("INBOX")[b"EXISTS"] == 1


def test_a_non_ascii_host_and_an_ip_address_get_certificates(
    sandbox: Callable[..., Any], server: Callable[..., MailServer]
) -> None:
    hosts = ("bücher.example", "192.0.2.1")
    connectors = tuple(
        Connector(
            name=f"c{number}",
            display_name=host,
            imap=server(host, 993, Security.IMPLICIT, "u@x.example", "env:U"),
        )
        for number, host in enumerate(hosts)
    )
    with sandbox(*connectors) as clients:
        assert [endpoint.host for endpoint in clients.session.endpoints] == [
            "xn--bcher-kva.example",
            "192.0.2.1",
        ]
        for item in connectors:
            assert clients.signed_in_imap(item).list_folders()
        assert clients.endpoint(Protocol.IMAP, "c1").connect_to.startswith("192.0.2.1:993=127.")


def test_lines_that_are_not_commands_do_no_harm(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector()) as clients:
        imap = clients.imap("support")
        with pytest.raises(IMAPClientError, match="BAD"):
            imap._imap.xatom("WHAT")
        smtp = clients.smtp("support")
        assert smtp.docmd("WHAT")[0] == 500
        assert smtp.docmd("MAIL", "FROM:<support@corp.example>")[0] == 530
