"""A connector in the words of the settings form."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.functional.conftest import Home


def test_a_connector_is_written_as_the_form_has_it(home: Home) -> None:
    home.write(
        "form.yaml",
        "kind: EmailConnector\nname: form\ndisplay_name: Form desk\nfrom_name: Desk\n"
        "imap: {server: mail.contoso.example, port: 993, use_ssl: true, username: form@contoso.example,"
        " password: env:FORM_PASSWORD}\nenable_mail_send_from: true\n"
        "smtp: {server: mail.contoso.example, port: 587, use_ssl: true, email_address: form@contoso.example,"
        " use_same_credentials: false, username: relay, password: 'file:/run/secrets/relay'}\n",
    )
    done = home("export", "form", FORM_PASSWORD="hunter2-zq9")
    assert done.status == 0, done.said
    assert done.out.splitlines() == [
        "Display name: Form desk",
        "IMAP server: mail.contoso.example",
        "IMAP server port: 993",
        "Use SSL: Yes",
        "Username / email: form@contoso.example",
        "Password: (kept in env:FORM_PASSWORD)",
        "Enable mail send from: Yes",
        "SMTP server: mail.contoso.example",
        "SMTP server port: 587",
        "Use SSL: Yes",
        "Email Address: form@contoso.example",
        "Use same credentials as above: No",
        "SMTP Username: relay",
        "Password: (kept in file:/run/secrets/relay)",
        "",
        "The form has no field for:",
        "  IMAP security: implicit",
        "  SMTP security: starttls",
        "  from_name: Desk",
    ]


def test_what_a_provider_fills_in_is_written_out(home: Home) -> None:
    out = home("export", "support").out
    assert "SMTP server: smtp.office365.com" in out
    assert "Use same credentials as above: Yes" in out
    assert "Password: (none: it signs in with OAuth 2.0)" in out
    assert "IMAP sign-in: OAuth 2.0, client_credentials" in out
    assert "Enable mail send from: No" in home("export", "invoices").out


def test_a_name_that_does_not_exist_gets_the_nearest(home: Home) -> None:
    done = home("export", "suport")
    assert done.status == 64
    assert "Did you mean `support`?" in done.err
