"""A document that is not named as conspicuous holds nothing that the checks of texts would find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.ci_systems import is_command
from reconciler.config.checks import domains, references, texts
from reconciler.config.conspicuous import conspicuous
from reconciler.config.positions import Positions
from reconciler.config.raw import RawDocument
from reconciler.config.text_fields import (
    ADDRESS_FIELDS,
    HOST_FIELDS,
    REFERENCE_FIELDS,
    URL_FIELDS,
)
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from reconciler.model.resource import JSON

FIELDS = sorted(
    {*ADDRESS_FIELDS, *HOST_FIELDS, *REFERENCE_FIELDS, *URL_FIELDS, "display_name", "labels"}
)
PIECES = st.sampled_from(
    ["env:", "ENV:", "file:", "keyring:", "command:", "vault:", "::", "warning", "##[", "section_start:", "\n", "\r",
     "“", "”", "`", "{{", "}}", "$", "HOST", "${", "%", "<", ">", "@", "_", "(", "[", "]", " ", "x", "contoso.example",
     "a@b.example", "*", "-", "..", "é", "😀", "xn--a", "https://", "/", "", "1"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=5).map("".join)
VALUES = st.recursive(
    TEXTS | st.sampled_from([None, True, 993]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3)
    ),
    max_leaves=6,
)


def findings(value: JSON) -> dict[str, bool]:
    """What the checks find in a document when they look at it closely, whatever was noted before."""
    raw = RawDocument(value, "a.yaml", Positions({}))
    return {
        "commands": bool(list(texts._texts(value, is_command))),
        "meanings": bool(list(texts.text_problems(value, REFERENCE_FIELDS))),
        "references": any(
            not text.startswith(("env:", "file:", "keyring:"))
            and SecretRef.found_in(text) is not None
            for _, text in references._references(value)
        ),
        "domains": bool(
            [*domains._invalid(raw), *domains._invalid(raw, filled_in=True)],
        ),
    }


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
def test_texts_that_the_checks_would_report_are_conspicuous(value: dict[str, JSON]) -> None:
    raw = RawDocument(value, "a.yaml", Positions({}))
    noted = conspicuous([raw])
    for what, found in findings(value).items():
        assert not found or id(raw) in getattr(noted, what), what


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"display_name": "::error::x"}, "commands"),
        ({"password": "env:A\n::error::x"}, "commands"),
        ({"display_name": "{{ name }}"}, "meanings"),
        ({"imap": {"password": "env:<PASSWORD>"}}, "meanings"),
        ({"username": "ENV:A"}, "meanings"),
        ({"labels": ["env:A"]}, "meanings"),
        ({"password": "vault:a"}, "references"),
        ({"password": "command:a"}, "references"),
        ({"smtp": {"server": "a..b"}}, "domains"),
        ({"also_sends_as": ["a@b.example", "a@-b"]}, "domains"),
        ({"token_endpoint": "https://tök.example"}, "domains"),
    ],
)
def test_each_kind_of_text_is_recorded(value: JSON, what: str) -> None:
    raw = RawDocument(value, "a.yaml", Positions({}))
    assert id(raw) in getattr(conspicuous([raw]), what)


def test_an_ordinary_connector_has_no_conspicuous_text() -> None:
    value: JSON = {
        "kind": "EmailConnector", "name": "support", "display_name": "Support mailbox",
        "imap": {"server": "imap.contoso.example", "username": "support@contoso.example",
                 "password": "env:SUPPORT_PASSWORD"},
        "smtp": {"server": "smtp.contoso.example", "email_address": "support@contoso.example"},
        "labels": ["team-1"],
    }  # fmt: skip
    noted = conspicuous([RawDocument(value, "a.yaml", Positions({}))])
    assert noted == conspicuous([])
