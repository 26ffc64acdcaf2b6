"""Programs send through the gateway with SMTP, according to the applied connectors and permissions."""

from __future__ import annotations

import json
import signal
import smtplib
import ssl
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any, Final

import pytest
import trustme

from tests.functional.gateway.conftest import DEADLINE, PASSWORD, SENDER, running
from tests.functional.signalled import run_signalled

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Home
    from tests.functional.gateway.conftest import Running

MAIL = f"From: Grafana <{SENDER}>\r\nTo: {{to}}\r\nSubject: Disk full\r\n\r\nOn db1.\r\n.\r\n"


def arrived(session: Session, to: str) -> EmailMessage:
    """The one mail for an address that no account of the sandbox has."""
    (stray,) = [item for item in session.journal.strays if item.recipient == to]
    return message_from_bytes(stray.content, policy=default)


def logged_for_grafana(home: Home) -> dict[str, Any]:
    """The one attempt in the stored log."""
    done = home.run("log", "--application", "grafana", "--format", "json")
    (entry,) = json.loads(done.out)["entries"]
    assert isinstance(entry, dict)
    return entry


@pytest.mark.parametrize("how", ["implicit", "starttls", "none"])
def test_a_mail_is_accepted_when_the_provider_has_accepted_it(
    gateway: Running, applied: Home, example_session: Session, how: str
) -> None:
    to = f"{how}@elsewhere.example"
    with gateway.client(how) as client:
        assert client.sendmail(SENDER, [to], MAIL.format(to=to)) == {}
    received = arrived(example_session, to)
    assert received["Subject"] == "Disk full"
    assert received.get_content().splitlines() == ["On db1.", "."]
    (trace,) = received.get_all("Received", [])
    expected = "ESMTPA" if how == "none" else "ESMTPSA"
    assert "(signed in as grafana)" in trace
    assert f"by gateway.contoso.example with {expected};" in " ".join(trace.split())
    logged = gateway.wait_for("mail")
    assert (logged["application"], logged["connector"], logged["result"]) == (
        "grafana",
        "no-reply",
        "sent",
    )
    entry = logged_for_grafana(applied)
    assert (entry["result"], entry["asked_connector"], entry["reason"]) == (
        "sent",
        "no-reply",
        "sender",
    )
    assert entry["actor"] == "grafana@contoso.example"


def test_a_forbidden_sender_gets_the_reason_that_route_shows(
    gateway: Running, applied: Home
) -> None:
    applied.edit("applications.yaml", "senders: [no-reply@contoso.example]", "")
    applied.apply_untested()
    gateway.wait_for("applied")
    text = MAIL.format(to="a@elsewhere.example").replace(SENDER, "payroll@contoso.example")
    with gateway.client() as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("payroll@contoso.example", ["a@elsewhere.example"], text)
    assert refused.value.smtp_code == 550
    assert refused.value.smtp_error == (
        b"5.7.1 payroll@contoso.example is claimed, and"
        b" grafana@contoso.example is not among the users of payroll"
    )


def test_an_application_sends_only_as_its_senders(gateway: Running, applied: Home) -> None:
    text = MAIL.format(to="a@elsewhere.example").replace(SENDER, "support@contoso.example")
    with gateway.client() as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail(SENDER, ["a@elsewhere.example"], text)
    assert refused.value.smtp_error == b"5.7.1 grafana may not send as support@contoso.example"
    entry = logged_for_grafana(applied)
    assert (entry["result"], entry["actor"], entry["sender"]) == (
        "refused",
        "grafana@contoso.example",
        "support@contoso.example",
    )
    assert entry["sentence"] == "grafana may not send as support@contoso.example"


@pytest.mark.parametrize(
    ("password", "said", "code"),
    [("not-the-password", "535", 535), ("", "cannot read a secret of the connector", None)],
)
def test_a_connector_that_cannot_sign_in_is_temporary_to_the_client_and_in_the_log(
    applied: Home, tmp_path: Path, password: str, said: str, code: int | None
) -> None:
    applied.environ["NO_REPLY_PASSWORD"] = password
    with running(applied, tmp_path) as found, found.client() as client:
        with pytest.raises(smtplib.SMTPDataError, match=said) as refused:
            client.sendmail(SENDER, ["a@elsewhere.example"], MAIL)
        assert refused.value.smtp_code == 451
        event = found.wait_for("mail")
        assert (event["result"], event["connector"]) == ("temporary", "no-reply")
        labels = 'connector="no-reply",application="grafana",result="temporary",class="4yz"'
        assert f"{{{labels}}} 1\n" in found.page("/metrics")[1]
    entry = logged_for_grafana(applied)
    assert (entry["result"], entry["connector"], entry["code"]) == ("temporary", "no-reply", code)


def test_a_policy_counts_within_a_second_on_a_connection_that_is_open(
    gateway: Running, applied: Home, example_session: Session
) -> None:
    applied.edit("applications.yaml", "senders: [no-reply@contoso.example]", "")
    applied.apply_untested()
    gateway.wait_for("applied")
    text = MAIL.format(to="forced-by-gateway@elsewhere.example").replace(
        SENDER, "info@contoso.example"
    )
    applied.edit("info.yaml", "users:\n  groups: [marketing]\n", "")
    applied.edit("policy.yaml", "enabled: false", "enabled: true")
    with gateway.client() as client:
        applied.apply_untested("--allow-policy-change")
        gateway.wait_for("applied", 2)
        client.sendmail("info@contoso.example", ["forced-by-gateway@elsewhere.example"], text)
    received = arrived(example_session, "forced-by-gateway@elsewhere.example")
    assert received["From"].addresses[0].addr_spec == SENDER
    assert received["X-Original-From"] == "info@contoso.example"


def test_an_application_that_is_deleted_sends_no_more_on_an_open_connection(
    gateway: Running, applied: Home
) -> None:
    with gateway.client() as client:
        (applied.config / "applications.yaml").unlink()
        applied.apply_untested()
        gateway.wait_for("applied")
        with pytest.raises(smtplib.SMTPSenderRefused, match="may no longer sign in"):
            client.sendmail(SENDER, ["a@elsewhere.example"], MAIL)
    with (
        gateway.client(signed_in=False) as client,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        client.login("grafana", PASSWORD)


def test_an_unreadable_mail_is_rejected_and_logged(gateway: Running, applied: Home) -> None:
    with gateway.client() as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail(SENDER, ["a@elsewhere.example"], "From: a, b: c;\r\n\r\nx\r\n")
    assert refused.value.smtp_code == 550
    entry = logged_for_grafana(applied)
    assert (entry["result"], entry["connector"]) == ("refused", "")


def test_recipients_are_refused_one_by_one(gateway: Running) -> None:
    to = "fine@elsewhere.example"
    with gateway.client() as client:
        refused = client.sendmail(SENDER, [to, "no domain", "@x"], MAIL.format(to=to))
    assert {name: code for name, (code, _) in refused.items()} == {"no domain": 553, "@x": 553}


def test_the_status_pages_report_mails_and_the_state(gateway: Running) -> None:
    with gateway.client() as client:
        client.sendmail(SENDER, ["m@elsewhere.example"], MAIL.format(to="m@elsewhere.example"))
    assert gateway.page("/readyz") == (200, "ready\n")
    status, health = gateway.page("/healthz")
    assert (status, json.loads(health)["status"], json.loads(health)["serial"]) == (200, "ok", 1)
    _, metrics = gateway.page("/metrics")
    assert (
        'reconciler_gateway_mails_total{connector="no-reply",application="grafana",'
        'result="sent",class="2yz"} 1\n'
    ) in metrics
    assert "reconciler_gateway_handover_seconds_count 1\n" in metrics
    assert gateway.page("/elsewhere")[0] == 404


def test_an_unavailable_state_stops_no_mail_and_is_reported(
    gateway: Running, applied: Home, example_session: Session
) -> None:
    state = next(applied.folder.rglob("state.db"))
    aside = state.with_name("aside.db")
    state.rename(aside)
    try:
        problem = gateway.wait_for("state_away")["problem"]
        health = json.loads(gateway.page("/healthz")[1])
        assert (health["status"], health["problem"]) == ("degraded", problem)
        to = "away@elsewhere.example"
        with gateway.client() as client:
            client.sendmail(SENDER, [to], MAIL.format(to=to))
        assert arrived(example_session, to)["Subject"] == "Disk full"
    finally:
        aside.rename(state)
    gateway.wait_for("state_back")


@pytest.mark.parametrize("scheme", ["", "file:"])
def test_a_certificate_that_is_replaced_is_served_and_a_broken_one_is_not(
    applied: Home, tmp_path: Path, scheme: str
) -> None:
    pem = tmp_path / "tls.pem"
    with running(applied, tmp_path, "--certificate", f"{scheme}{pem}") as gateway:
        replace_certificate(gateway, pem)


def test_a_key_may_be_in_the_environment(applied: Home, tmp_path: Path) -> None:
    authority = trustme.CA()
    pair = authority.issue_cert("localhost")
    (tmp_path / "own.crt").write_bytes(b"".join(item.bytes() for item in pair.cert_chain_pems))
    key = applied.environ["TLS_KEY"] = pair.private_key_pem.bytes().decode()
    options = ("--certificate", str(tmp_path / "own.crt"), "--key", "env:TLS_KEY", "-v")
    with running(applied, tmp_path, *options) as found:
        found.authority = authority
        found.client("implicit").quit()
        found.client("starttls").quit()
        assert found.end() == 0
        assert key.splitlines()[1] not in json.dumps(found.events)


def test_a_reference_that_leads_nowhere_is_named(applied: Home) -> None:
    done = applied.run("gateway", "--tls", "127.0.0.1:0", "--certificate", "env:NO_SUCH_KEY")
    assert done.status == 4
    assert "the secret env:NO_SUCH_KEY is not set" in done.err


def replace_certificate(gateway: Running, pem: Path) -> None:
    pem.write_text("broken")
    gateway.wait_for("certificate_unusable")
    gateway.client("implicit").quit()
    other = trustme.CA()
    pair = other.issue_cert("localhost")
    pair.private_key_and_cert_chain_pem.write_to_path(str(pem))
    gateway.wait_for("certificate_reloaded")
    with pytest.raises(ssl.SSLCertVerificationError):
        gateway.client("implicit")
    gateway.authority = other
    gateway.client("implicit").quit()


def test_sigterm_ends_it_and_the_log_holds_no_secret(applied: Home, tmp_path: Path) -> None:
    with running(applied, tmp_path, "-v") as found:
        client = found.client()
        assert found.end() == 0
        assert client.getreply() == (421, b"4.3.2 The gateway is ending")
        client.close()
        said = json.dumps(found.events)
    assert "signed_in" in said
    assert PASSWORD not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_a_pending_mail_be_answered(
    gateway: Running, example_session: Session, number: signal.Signals
) -> None:
    to = f"last-{number.name.lower()}@elsewhere.example"
    client = gateway.client()
    client.mail(SENDER)
    client.rcpt(to)
    assert client.docmd("DATA")[0] == 354
    gateway.process.send_signal(number)
    assert gateway.wait_for("ending")["under_way"] == 1
    assert gateway.page("/readyz") == (503, "not ready\n")
    client.send(MAIL.format(to=to).replace("\r\n.\r\n", "\r\n") + ".\r\n")
    assert client.getreply()[0] == 250
    assert client.getreply() == (421, b"4.3.2 The gateway is ending")
    client.close()
    assert gateway.process.wait(DEADLINE) == 0
    assert arrived(example_session, to)["Subject"] == "Disk full"


CLOSING: Final = """
import os
from reconciler.app.dispatch import Dispatch
close = Dispatch.close

def hit(dispatch, wait):
    for number in (15, 2, 1, 15):
        os.kill(os.getpid(), number)
    close(dispatch, wait)

Dispatch.close = hit
"""


def test_signals_while_a_gateway_closes_change_nothing(applied: Home) -> None:
    listening = "after reconciler.gateway.server.Gateway._say_listening"
    options = ("gateway", "--plain", "127.0.0.1:0", "--status", "none")
    done = run_signalled(applied, listening, (signal.SIGTERM,), *options, before=CLOSING)
    assert done.status == 0, done.said
    assert [json.loads(line)["event"] for line in done.err.splitlines()][-2:] == ["ending", "ended"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--plain", "0.0.0.0:2525"), "is not on loopback"),
        (("--plain", "2525"), "expected ADDRESS:PORT"),
        (("--tls", "127.0.0.1:0"), "no certificate"),
        (("--tls", "127.0.0.1:0", "--certificate", "missing.pem"), "cannot be used"),
    ],
)
def test_invalid_gateway_options_are_usage_errors(
    applied: Home, options: tuple[str, ...], said: str
) -> None:
    done = applied.run("gateway", *options)
    assert done.status == 64
    assert said in done.err
