"""A connector in the words of the settings form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home


def test_a_connector_is_written_like_the_settings_form(home: Home) -> None:
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


def test_values_from_a_provider_are_written_out(home: Home) -> None:
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


FORM = (
    "kind: EmailConnector\nname: form\nimap: {server: mail.form.example, port: 993, use_ssl: true,"
    " username: form@form.example, password: env:FORM_PASSWORD}\nenable_mail_send_from: true\n"
    "smtp: {server: out.form.example, port: 587, use_ssl: true, email_address: form@form.example}\n"
)


@pytest.mark.parametrize("shape", ["lines", "rows", "columns"])
def test_exported_text_is_read_back(home: Home, shape: str) -> None:
    home.write("form.yaml", FORM)
    lines = home("export", "form").out.splitlines()
    pairs = [line.partition(": ") for line in lines if ": " in line and not line.startswith(" ")]
    text = {
        "lines": "\n".join(lines),
        "rows": "".join(f'"{label}";"{value}"\n' for label, _, value in pairs),
        "columns": ",".join(label for label, _, _ in pairs)
        + "\n"
        + ",".join(value for _, _, value in pairs),
    }[shape]
    home.remove("form.yaml")
    (home.folder / "form.txt").write_text(text, "utf-8")
    done = home(
        "add", "--from", "form.txt", "--yes", "--dry-run", "--no-discover", "--name", "form"
    )
    assert done.status == 0, done.said
    for part in ("server: mail.form.example", "server: out.form.example", "env:FORM_PASSWORD",
                 "username: form@form.example", "port: 587"):  # fmt: skip
        assert part in done.out, done.said


def test_a_password_in_a_form_is_not_copied(home: Home) -> None:
    (home.folder / "form.csv").write_text(
        "IMAP server,mail.form.example\nIMAP server port,993\nUse SSL,Yes\nUsername / email,form@form.example\n"
        "Password,hunter2-zq9\nEnable mail send from,No\n", "utf-8",
    )  # fmt: skip
    done = home("add", "--from", "form.csv", "--yes", "--dry-run", "--no-discover")
    assert done.status == 0, done.said
    assert "hunter2" not in done.said
    assert "was not copied" in done.said
