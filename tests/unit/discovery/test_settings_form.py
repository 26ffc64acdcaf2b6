"""The settings form is distinguished from settings of programs, and no text stops the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.discovery.settings_form import read_form

_WORDS = (
    "IMAP server",
    "SMTP server port",
    "Use SSL",
    "Password",
    ":",
    ";",
    ",",
    '"',
    "\n",
    "993",
    "a.example",
    "\0",
)


@given(st.lists(st.sampled_from(_WORDS) | st.text(max_size=4)).map("".join))
def test_no_text_stops_the_reader(text: str) -> None:
    read_form(text)


@pytest.mark.parametrize(
    "text",
    [
        "SMTP_SERVER: smtp.contoso.example\nSMTP_PORT: 587\n",
        "SMTP_SERVER=smtp.contoso.example\n",
        "spring:\n  mail:\n    host: smtp.contoso.example\n",
        "",
    ],
)
def test_settings_of_programs_are_not_a_form(text: str) -> None:
    assert read_form(text) is None


def test_unsupported_settings_are_reported_with_their_line_without_their_value() -> None:
    found = read_form(
        "IMAP server: mail\nIMAP server port: 993\nSMTP server: smtp.contoso.example\n"
        "SMTP server port: 2525\nUse SSL: No\nPassword: hunter2\nSMTP Username: relay\n"
    )
    assert found is not None
    assert found.imap is None
    assert [
        (item.line, item.text) for item in sorted(found.remarks, key=lambda item: item.line)
    ] == [
        (1, "IMAP server is not a full name with a port, so it was left out"),
        (5, "Use SSL is off: the connector requires TLS all the same"),
        (6, "Password was not copied: put the secret where the connector refers to"),
        (7, "SMTP Username was left out"),
    ]


@pytest.mark.parametrize(
    ("smtp", "named"), [("env:OTHER", True), ("hunter3", True), ("env:SAME", False), ("", False)]
)
def test_another_password_for_smtp_is_named_and_never_copied(smtp: str, named: bool) -> None:
    found = read_form(
        "IMAP server: imap.contoso.example\nIMAP server port: 993\nPassword: env:SAME\n"
        f"SMTP server: smtp.contoso.example\nSMTP server port: 587\nPassword: {smtp}\n"
    )
    assert found is not None
    assert str(found.password) == "env:SAME"
    said = [item.text for item in found.remarks if "both accounts" in item.text]
    assert said == (
        ["Password of the SMTP server was left out: both accounts get the secret of IMAP"]
        if named
        else []
    )
