"""Whatever is wrong with a file, no diagnostic repeats a secret that stands in it."""

from __future__ import annotations

import string
from dataclasses import astuple
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.catalogue import catalogue
from reconciler.config.checks import run
from reconciler.config.compose import compose
from reconciler.config.documents import parse
from reconciler.config.events import fast, fast_only, parsers, reference
from reconciler.config.files import decode
from reconciler.config.resolved import ResolvedConfiguration
from reconciler.config.settings import DEFAULTS
from reconciler.diagnostics import Diagnostic

# The marker never occurs in a message by chance, and nothing that can surround it breaks it up.
MARKER: Final = "Zq7vXk2W"

secrets = st.tuples(
    st.text(st.sampled_from(string.punctuation + " é\t\\\"'ab1"), max_size=5),
    st.text(st.sampled_from(string.punctuation + " é\t\\\"'ab1"), max_size=5),
).map(lambda parts: f"{parts[0]}{MARKER}{parts[1]}")

CONNECTOR: Final = """\
kind: EmailConnector
name: support
display_name: {display_name}
labels: [one, {label}]
imap:
  server: mail.example.com
  port: {port}
  use_ssl: {use_ssl}
  username: support@example.com
  password: {password}
  oauth2:
    grant: client_credentials
    client_id: {client_id}
    client_secret: {client_secret}
    certificate: {certificate}
    refresh_token: {refresh_token}
    service_account_key: {service_account_key}
enable_mail_send_from: {enable}
smtp:
  server: mail.example.com
  port: 587
  security: {security}
  username: support
  password: {smtp_password}
{tail}
"""

FIELDS: Final = {
    "display_name": "Support",
    "label": "two",
    "port": "993",
    "use_ssl": "true",
    "password": "env:A",
    "client_id": "x",
    "client_secret": "env:B",
    "certificate": "env:C",
    "refresh_token": "env:D",
    "service_account_key": "env:E",
    "enable": "true",
    "security": "starttls",
    "smtp_password": "env:F",
    "tail": "",
}

# How people write a value, rightly and wrongly.
WRITTEN: Final = (
    "{}",
    "'{}",
    '"{}',
    '"\\q{}"',
    '"{}\\',
    "*{}",
    "&{}",
    "&{} x",
    "!{}",
    "!{} x",
    "!!{} x",
    "!<{}> x",
    "%{}",
    "@{}",
    "`{}",
    "[{}",
    "[{}]",
    "{{{}}}",
    "{{{{{}}}}}",
    "{{{{ {} }}}}",
    "{{a: {}}}",
    "{{{}: {}}}",
    "{{{}: 1, {}: 2}}",
    "{{{}, {}}}",
    "? {}",
    "- {}",
    "|{}",
    "|\n    {}\n  {}",
    ">\n    {}",
    "{}\n  {}",
    "{}\n{}",
    "x: {}",
    "{}: x",
    "\t{}",
    "#{}",
    "env: {}",
    "{}:{}",
    "secret-{}:x",
    "'{}'",
    '"{}"',
    "<<: {}",
    "\n    <<: {}",
    "\n    ? {}\n    : x",
    "\n    - {}\n    - {}",
    "\n{}: {}",
    "\n---\n{}",
    "\n---\nkind: {}",
    "\n%YAML {}\n---",
    "\n...\n%TAG ! {}\n---",
)


def problems(text: str) -> list[Diagnostic]:
    """Everything that loading a file with that text has to say, checks across documents included."""
    decoded = decode(text.encode("utf-8", "surrogatepass"), "a.yaml")
    if isinstance(decoded, Diagnostic):
        return [decoded]
    composed = compose(decoded, "a.yaml")
    parsed = [parse(document) for document in composed.documents]
    known = catalogue(parsed, (), complete=True)
    return [
        *composed.diagnostics,
        *(diagnostic for item in parsed for diagnostic in item.diagnostics),
        *run(ResolvedConfiguration(known, DEFAULTS)),
    ]


def assert_hidden(text: str) -> None:
    found = problems(text)
    shown = [item for item in found if MARKER.casefold() in str(astuple(item)).casefold()]
    assert not shown, text


@pytest.mark.parametrize("written", WRITTEN)
def test_a_misplaced_secret_is_not_shown(written: str) -> None:
    value = written.replace("{{", "\0").replace("}}", "\1").replace("{}", MARKER)
    value = value.replace("\0", "{").replace("\1", "}")
    for field in FIELDS:
        assert_hidden(CONNECTOR.format(**{**FIELDS, field: value}))


@given(field=st.sampled_from(sorted(FIELDS)), written=st.sampled_from(WRITTEN), secret=secrets)
def test_no_secret_is_shown_however_it_is_written(field: str, written: str, secret: str) -> None:
    value = written.replace("{{", "\0").replace("}}", "\1").replace("{}", secret)
    value = value.replace("\0", "{").replace("\1", "}")
    assert_hidden(CONNECTOR.format(**{**FIELDS, field: value}))


@given(
    field=st.sampled_from(sorted(FIELDS)),
    secret=secrets,
    cut=st.integers(0, 700),
    noise=st.text(st.sampled_from("\"'[]{}&*!|>%@`:-#?,\t\n \\\u0007\ufeff\u2028é"), max_size=3),
)
def test_no_secret_is_shown_when_the_file_breaks_near_it(
    field: str, secret: str, cut: int, noise: str
) -> None:
    text = CONNECTOR.format(**{**FIELDS, field: secret})
    assert_hidden(text[:cut] + noise + text[cut:])


@pytest.mark.parametrize(
    "field",
    [
        "password",
        "client_secret",
        "certificate",
        "refresh_token",
        "service_account_key",
        "smtp_password",
    ],
)
@pytest.mark.parametrize(
    "value", ["hunter2", "12345", "true", "[a, b]", "{a: b}", "'two words'", "1e5", ":a"]
)
def test_a_value_where_a_reference_belongs_is_plain_text(field: str, value: str) -> None:
    found = problems(CONNECTOR.format(**{**FIELDS, field: value}))
    assert "secret/plain-text" in {item.rule for item in found}


def test_a_password_that_looks_like_a_reference_has_an_unknown_scheme() -> None:
    found = problems(CONNECTOR.format(**{**FIELDS, "password": "hunter2:correct-horse"}))
    (item,) = [item for item in found if item.rule == "secret/unknown-scheme"]
    assert "hunter2" not in str(astuple(item))
    assert "correct" not in str(astuple(item))


def test_both_parsers_are_under_test() -> None:
    assert parsers("") == (fast, reference), "ruamel.yaml's parser in C should be installed"
    assert parsers(" " * 100_000) == (fast_only,)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_misplaced_secret_in_a_long_file_is_not_shown(written: str) -> None:
    value = written.replace("{{", "\0").replace("}}", "\1").replace("{}", MARKER)
    value = value.replace("\0", "{").replace("\1", "}")
    assert_hidden("# x\n" * 20_000 + CONNECTOR.format(**{**FIELDS, "password": value}))
