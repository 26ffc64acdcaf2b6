"""Every resource comes back from its specification; documents round-trip as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from reconciler.model.connector import (
    Connector,
    Grant,
    MailServer,
    OAuth2,
    Security,
)
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.policy import GlobalSmtpPolicy, ReplyTo
from reconciler.model.provider import (
    OAuth2Defaults,
    Provider,
    ServerDefaults,
    SignInMethod,
    UsernameForm,
)
from reconciler.model.resource import canonical_json, digest, spec_of, to_plain
from reconciler.model.secret_ref import SecretRef

names = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
users = st.from_regex(r"[a-zA-Z]{1,8}(@[a-z]{1,8}\.example)?", fullmatch=True)
texts = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)
references = st.builds(SecretRef, st.sampled_from(["env", "file"]), names)
principals = st.builds(
    Principals, users=st.lists(users).map(tuple), groups=st.lists(names).map(tuple)
)
oauth2 = st.builds(
    OAuth2,
    grant=st.sampled_from(Grant),
    client_id=st.none() | texts,
    scopes=st.lists(texts).map(tuple),
    client_secret=st.none() | references,
    refresh_token=st.none() | references,
)
servers = st.builds(
    MailServer,
    server=st.none() | names,
    port=st.none() | st.integers(1, 65535),
    security=st.none() | st.sampled_from(Security),
    username=st.none() | users,
    password=st.none() | references,
    oauth2=st.none() | oauth2,
)
defaults = st.builds(
    ServerDefaults,
    server=names,
    port=st.integers(1, 65535),
    security=st.sampled_from(Security),
    username_form=st.sampled_from(UsernameForm),
    password_until=st.none() | st.just("2026-12-31"),
)
resources = st.one_of(
    st.builds(
        Connector,
        name=names,
        display_name=texts,
        provider=st.none() | names,
        imap=st.none() | servers,
        smtp=st.none() | servers,
        enable_mail_send_from=st.booleans(),
        labels=st.lists(names).map(tuple),
    ),
    st.builds(Permissions, connector=names, administrators=principals, users=principals),
    st.builds(Group, name=names, members=principals),
    st.builds(Roles, administrators=principals, internal_domains=st.lists(names).map(tuple)),
    st.builds(GlobalSmtpPolicy, enabled=st.booleans(), reply_to=st.sampled_from(ReplyTo)),
    st.builds(
        Provider,
        name=names,
        imap=st.none() | defaults,
        sign_in=st.lists(st.sampled_from(SignInMethod)).map(tuple),
        oauth2=st.none() | st.builds(OAuth2Defaults, token_endpoint=st.just("https://x/{tenant}")),
    ),
)


@given(resource=resources)
def test_a_resource_comes_back_from_its_specification(resource: Any) -> None:
    text = json.dumps(spec_of(resource))
    assert TypeAdapter(type(resource)).validate_json(text) == resource


@given(one=resources, other=resources)
def test_equal_resources_and_only_they_have_equal_digests(one: Any, other: Any) -> None:
    same = type(one) is type(other) and one == other
    assert (digest(to_plain(one)) == digest(to_plain(other))) is same or type(one) is not type(
        other
    )


def test_a_specification_omits_the_kind_and_missing_values() -> None:
    spec = spec_of(GlobalSmtpPolicy(enabled=False))
    assert spec == {"enabled": False, "save_to_sent_items": False, "reply_to": "original_sender"}


def test_canonical_json_depends_on_nothing_but_the_value() -> None:
    assert canonical_json({"b": 1, "a": ["é"]}) == '{"a":["é"],"b":1}'


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x"])
def test_unsupported_types_in_a_specification_are_rejected(value: object) -> None:
    with pytest.raises(TypeError):
        to_plain(value)


def accepts(**fields: Any) -> bool:
    document = {"kind": "EmailConnector", "name": "a", **fields}
    try:
        TypeAdapter(ConnectorDocument).validate_json(json.dumps(document))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ({}, True),
        ({"name": "a" * 63}, True),
        ({"name": "a" * 64}, False),
        ({"name": "A"}, False),
        ({"name": "a\n"}, False),
        ({"name": "1a"}, False),
        ({"name": "a_b"}, False),
        ({"display_name": "Löhne 💶"}, True),
        ({"display_name": ""}, False),
        ({"display_name": "a\u202eb"}, False),
        ({"display_name": "a\u200bb"}, False),
        ({"display_name": None}, False),
        ({"draft": 1}, False),
        ({"draft": "true"}, False),
        ({"provider": "outlook.com"}, True),
        ({"labels": ["team=hr", "a/b"]}, True),
        ({"labels": ["a b"]}, False),
        ({"imap": {"port": 993}}, True),
        ({"imap": {"port": 993.0}}, True),
        ({"imap": {"port": 993.5}}, False),
        ({"imap": {"port": "993"}}, False),
        ({"imap": {"port": True}}, False),
        ({"imap": {"port": 0}}, False),
        ({"imap": {"port": 65536}}, False),
        ({"imap": {"server": "mail.bücher.example"}}, True),
        ({"imap": {"server": "::1"}}, True),
        ({"imap": {"server": "https://mail.example.com"}}, False),
        ({"imap": {"server": "mail.example.com\ufeff"}}, False),
        ({"imap": {"username": "CONTOSO\\support"}}, True),
        ({"imap": {"username": "a b"}}, False),
        ({"imap": {"password": "env:A"}}, True),
        ({"imap": {"password": "file:/a b"}}, True),
        ({"imap": {"password": "hunter2"}}, False),
        ({"imap": {"password": "env:"}}, False),
        ({"imap": {"password": "env: A"}}, False),
        ({"smtp": {"email_address": "a@example.com"}}, True),
        ({"smtp": {"email_address": "a"}}, False),
        ({"smtp": {"email_address": "a@b@c"}}, False),
        ({"smtp": {"oauth2": {"grant": "refresh_token", "token_endpoint": "http://x/"}}}, False),
        ({"unknown": 1}, False),
        ({"kind": "Group"}, False),
    ],
)
def test_a_connector_takes_what_it_should(fields: dict[str, Any], accepted: bool) -> None:
    assert accepts(**fields) is accepted


def test_a_refused_reference_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="reference") as caught:
        SecretRef.parse("hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_reference_is_written_as_it_was_read() -> None:
    assert str(SecretRef.parse("command:pass show mail:x")) == "command:pass show mail:x"
    assert SecretRef.parse("file:/a:b") == SecretRef("file", "/a:b")


def test_the_secrets_of_a_connector_are_listed_once_each() -> None:
    one, two = SecretRef("env", "A"), SecretRef("env", "B")
    connector = Connector(
        name="a",
        display_name="a",
        imap=MailServer(password=one),
        enable_mail_send_from=True,
        smtp=MailServer(
            oauth2=OAuth2(grant=Grant.REFRESH_TOKEN, client_secret=two, refresh_token=one)
        ),
    )
    assert connector.references == (one, two)
