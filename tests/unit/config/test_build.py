"""What a provider, a default or the other account of the form fills in."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from reconciler.config.build import build_connector
from reconciler.config.documents import TYPES
from reconciler.model.address import Kind
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.provider import Provider
from reconciler.model.resource import spec_of
from reconciler.model.secret_ref import SecretRef
from reconciler.model.validators import validator


def provider(**fields: Any) -> Provider:
    text = json.dumps({"kind": "Provider", "name": "example", **fields})
    made = validator(TYPES[Kind.PROVIDER]).validate_json(text)
    assert isinstance(made, Provider)
    return made


def document(**fields: Any) -> ConnectorDocument:
    text = json.dumps({"kind": "EmailConnector", "name": "support", **fields})
    made = validator(TYPES[Kind.EMAIL_CONNECTOR]).validate_json(text)
    assert isinstance(made, ConnectorDocument)
    return made


def build(known: Provider | None = None, **fields: Any) -> Connector:
    return build_connector(document(**fields), known)


def imap(connector: Connector) -> MailServer:
    assert connector.imap is not None
    return connector.imap


def smtp(connector: Connector) -> MailServer:
    assert connector.smtp is not None
    return connector.smtp


EXAMPLE: Final = provider(
    imap={"server": "imap.example.com", "port": 993, "security": "implicit"},
    smtp={
        "server": "smtp.example.com",
        "port": 587,
        "security": "starttls",
        "username_form": "local_part",
    },
    files_sent_copies=True,
)
SIGN_IN: Final = {"username": "support@example.com", "password": "env:A"}


def test_a_complete_connector_is_kept_unchanged() -> None:
    connector = build(
        imap={"server": "mail.example.com", "port": 993, "use_ssl": True, **SIGN_IN},
        labels=["b", "a"],
        prevent_destroy=True,
        sent_folder="Sent",
    )
    assert connector == Connector(
        name="support",
        display_name="support",
        imap=MailServer(
            server="mail.example.com",
            port=993,
            security=Security.IMPLICIT,
            username="support@example.com",
            password=SecretRef("env", "A"),
        ),
        labels=("b", "a"),
        prevent_destroy=True,
        sent_folder="Sent",
    )


def test_a_provider_fills_in_servers_ports_and_modes() -> None:
    connector = build(EXAMPLE, provider="example", imap=SIGN_IN, enable_mail_send_from=True)
    assert (imap(connector).server, imap(connector).port) == ("imap.example.com", 993)
    assert (smtp(connector).server, smtp(connector).port) == ("smtp.example.com", 587)
    assert imap(connector).security is Security.IMPLICIT
    assert smtp(connector).security is Security.STARTTLS
    assert connector.provider == "example"
    assert connector.files_sent_copies


def test_explicit_values_take_precedence_over_the_provider() -> None:
    connector = build(
        EXAMPLE, imap={"server": "imap.example.net", "port": 143, "security": "starttls", **SIGN_IN}
    )
    assert imap(connector).server == "imap.example.net"
    assert imap(connector).port == 143
    assert imap(connector).security is Security.STARTTLS


def test_the_mode_of_a_provider_holds_for_its_port_only() -> None:
    assert imap(build(EXAMPLE, imap={"port": 993})).security is Security.IMPLICIT
    assert imap(build(EXAMPLE, imap={"port": 1993})).security is None


@pytest.mark.parametrize(
    ("account", "port", "mode"),
    [
        ("imap", 993, "implicit"),
        ("imap", 143, "starttls"),
        ("smtp", 465, "implicit"),
        ("smtp", 587, "starttls"),
        ("smtp", 25, "starttls"),
        ("smtp", 2525, "starttls"),
        ("smtp", 2465, None),
        ("imap", 1993, None),
    ],
)
def test_use_ssl_means_what_the_port_speaks(account: str, port: int, mode: str | None) -> None:
    fields: dict[str, Any] = {
        account: {"port": port, "use_ssl": True},
        "enable_mail_send_from": True,
    }
    server = getattr(build(**fields), account)
    assert server.security == mode


def test_use_ssl_false_means_none_even_where_the_provider_says_otherwise() -> None:
    assert imap(build(EXAMPLE, imap={"use_ssl": False})).security is Security.NONE


def test_security_takes_precedence_over_use_ssl() -> None:
    server = imap(build(imap={"port": 1993, "use_ssl": True, "security": "implicit"}))
    assert server.security is Security.IMPLICIT


def test_use_ssl_on_an_odd_port_of_a_provider_takes_its_mode() -> None:
    odd = provider(smtp={"server": "s.example.com", "port": 2465, "security": "implicit"})
    connector = build(odd, smtp={"use_ssl": True}, enable_mail_send_from=True)
    assert smtp(connector).security is Security.IMPLICIT


def test_use_ssl_never_becomes_plain_text() -> None:
    plain = provider(smtp={"server": "s.example.com", "port": 2465, "security": "none"})
    connector = build(plain, smtp={"use_ssl": True}, enable_mail_send_from=True)
    assert smtp(connector).security is None


def test_smtp_signs_in_as_imap_does_unless_it_has_credentials() -> None:
    shared = build(imap=SIGN_IN, smtp={}, enable_mail_send_from=True)
    assert shared.use_same_credentials
    assert smtp(shared).username == "support@example.com"
    assert smtp(shared).password == SecretRef("env", "A")
    own = build(
        imap=SIGN_IN, smtp={"username": "sender", "password": "env:B"}, enable_mail_send_from=True
    )
    assert not own.use_same_credentials
    assert smtp(own).username == "sender"
    assert smtp(own).password == SecretRef("env", "B")


def test_use_same_credentials_false_is_respected() -> None:
    connector = build(
        imap=SIGN_IN, smtp={"use_same_credentials": False}, enable_mail_send_from=True
    )
    assert not connector.use_same_credentials
    assert smtp(connector).username is None


def test_without_imap_there_is_nothing_to_share() -> None:
    connector = build(smtp=SIGN_IN, enable_mail_send_from=True)
    assert not connector.use_same_credentials
    assert connector.imap is None


def test_the_local_part_is_used_for_the_account_that_requires_it() -> None:
    connector = build(EXAMPLE, imap=SIGN_IN, enable_mail_send_from=True)
    assert imap(connector).username == "support@example.com"
    assert smtp(connector).username == "support"
    turned = provider(imap={**_HALF, "username_form": "local_part"}, smtp=_HALF)
    connector = build(turned, imap=SIGN_IN, enable_mail_send_from=True)
    assert imap(connector).username == "support"
    assert smtp(connector).username == "support@example.com"


_HALF: Final = {"server": "mail.example.com", "port": 993, "security": "implicit"}


@pytest.mark.parametrize(
    ("username", "expected"),
    [("a.b@contoso.example", "a.b.contoso.example"), ("sender", "sender"), ("env:WHO", "env:WHO")],
)
def test_a_dot_replaces_the_at_sign(username: str, expected: str) -> None:
    known = provider(imap={**_HALF, "username_form": "local.domain"})
    connector = build(known, imap={"username": username, "password": "env:A"})
    assert imap(connector).username == expected


@pytest.mark.parametrize(
    ("fields", "server"),
    [
        ({"imap": SIGN_IN}, "mail.example.com"),
        ({"imap": {"username": "a@bücher.example"}}, "mail.bücher.example"),
        ({"imap": {**SIGN_IN, "server": "own.example"}}, "own.example"),
        (
            {"imap": {"username": "a"}, "smtp": {"email_address": "a@shop.example"}},
            "mail.shop.example",
        ),
        ({"imap": SIGN_IN, "smtp": {"email_address": "a@shop.example"}}, "mail.example.com"),
        ({"imap": {"username": "env:WHO"}}, None),
        ({"imap": {"username": "a"}}, None),
        ({"imap": {"username": "a@b/c"}}, None),
        ({"imap": {"username": "a@b:25"}}, None),
        ({"imap": {"username": "a@\U0001f4e7.example"}}, None),
    ],
)
def test_a_server_may_depend_on_the_domain(fields: dict[str, Any], server: str | None) -> None:
    known = provider(imap={**_HALF, "server": "mail.{domain}"})
    assert imap(build(known, **fields)).server == server


def test_smtp_without_a_sign_in_uses_the_domain_of_its_address() -> None:
    known = provider(smtp={"server": "relay.{domain}", "port": 587, "security": "starttls"})
    connector = build(
        known,
        smtp={"sign_in": "none", "email_address": "a@shop.example"},
        enable_mail_send_from=True,
    )
    assert smtp(connector).server == "relay.shop.example"


@pytest.mark.parametrize("server", ["mail.{host}", "{", "mail.{domain", "-{domain}", "{domain}:25"])
def test_a_server_has_no_other_braces(server: str) -> None:
    with pytest.raises(ValueError, match="server"):
        provider(imap={**_HALF, "server": server})


def test_the_client_certificate_of_a_provider_is_shown_to_both_servers() -> None:
    known = provider(
        imap=_HALF, smtp=_HALF, client_certificate="env:CERTIFICATE", client_key="env:KEY"
    )
    connector = build(known, imap=SIGN_IN, enable_mail_send_from=True)
    for server in (imap(connector), smtp(connector)):
        assert server.client_certificate == SecretRef("env", "CERTIFICATE")
        assert server.client_key == SecretRef("env", "KEY")
        assert SecretRef("env", "KEY") in server.references


def test_a_connectors_certificate_never_meets_the_key_of_its_provider() -> None:
    known = provider(imap=_HALF, client_certificate="env:CERTIFICATE", client_key="env:KEY")
    connector = build(known, imap=SIGN_IN, client_certificate="env:OWN")
    assert imap(connector).client_certificate == SecretRef("env", "OWN")
    assert imap(connector).client_key is None


def test_a_username_without_a_domain_stays_as_it_is() -> None:
    connector = build(EXAMPLE, smtp={"username": "sender"}, enable_mail_send_from=True)
    assert smtp(connector).username == "sender"


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"imap": SIGN_IN, "smtp": {"email_address": "a@example.com"}}, "a@example.com"),
        ({"imap": SIGN_IN, "smtp": {"username": "b@example.com"}}, "b@example.com"),
        ({"imap": SIGN_IN, "smtp": {"username": "b"}}, "support@example.com"),
        ({"imap": {"username": "a"}, "smtp": {"username": "b"}}, None),
    ],
)
def test_the_address_is_given_or_a_username_that_is_one(
    fields: dict[str, Any], address: str | None
) -> None:
    assert build(enable_mail_send_from=True, **fields).email_address == address


def test_a_mailbox_that_is_only_read_has_no_smtp_and_no_address() -> None:
    connector = build(EXAMPLE, imap=SIGN_IN, smtp={"email_address": "a@example.com"})
    assert connector.smtp is None
    assert connector.email_address is None
    assert not connector.use_same_credentials


M365: Final = provider(
    imap=_HALF,
    oauth2={
        "token_endpoint": "https://login.example.com/{tenant}/token",
        "client_credentials_scopes": ["all"],
        "delegated_scopes": ["imap", "offline"],
    },
)


@pytest.mark.parametrize(
    ("grant", "scopes"),
    [
        ("client_credentials", ("all",)),
        ("refresh_token", ("imap", "offline")),
        ("jwt_bearer", ("all",)),
    ],
)
def test_endpoint_and_scopes_come_from_the_provider(grant: str, scopes: tuple[str, ...]) -> None:
    oauth2 = {"grant": grant, "tenant": "contoso"}
    server = imap(build(M365, imap={"username": "a@example.com", "oauth2": oauth2}))
    assert server.oauth2 is not None
    assert server.oauth2.token_endpoint == "https://login.example.com/contoso/token"
    assert server.oauth2.scopes == scopes


def test_endpoint_and_scopes_that_are_given_stay() -> None:
    oauth2 = {"grant": "refresh_token", "token_endpoint": "https://x/", "scopes": ["y"]}
    server = imap(build(M365, imap={"oauth2": oauth2}))
    assert server.oauth2 is not None
    assert server.oauth2.token_endpoint == "https://x/"
    assert server.oauth2.scopes == ("y",)


def test_without_a_tenant_the_endpoint_stays_open() -> None:
    server = imap(build(M365, imap={"oauth2": {"grant": "refresh_token"}}))
    assert server.oauth2 is not None
    assert server.oauth2.token_endpoint is None


def test_where_an_application_has_no_scopes_of_its_own_those_of_users_are_taken() -> None:
    google = provider(oauth2={"token_endpoint": "https://x/token", "delegated_scopes": ["mail"]})
    oauth2 = {"grant": "jwt_bearer", "service_account_key": "env:K"}
    server = imap(build(google, imap={"username": "a@example.com", "oauth2": oauth2}))
    assert server.oauth2 is not None
    assert server.oauth2.scopes == ("mail",)
    assert server.oauth2.subject == "a@example.com"


documents = st.fixed_dictionaries(
    {},
    optional={
        "imap": st.fixed_dictionaries(
            {},
            optional={
                "port": st.sampled_from([993, 143, 1]),
                "use_ssl": st.booleans(),
                "security": st.sampled_from(["implicit", "starttls", "none"]),
                "username": st.sampled_from(["a", "a@example.com"]),
                "password": st.just("env:A"),
                "oauth2": st.just({"grant": "refresh_token"}),
            },
        ),
        "smtp": st.fixed_dictionaries(
            {},
            optional={
                "port": st.sampled_from([465, 587, 1]),
                "use_ssl": st.booleans(),
                "username": st.just("b"),
                "use_same_credentials": st.booleans(),
            },
        ),
        "enable_mail_send_from": st.booleans(),
        "draft": st.booleans(),
    },
)


@given(fields=documents, known=st.sampled_from([None, EXAMPLE, M365]))
def test_every_document_builds_and_comes_back_from_its_specification(
    fields: dict[str, Any], known: Provider | None
) -> None:
    connector = build(known, **fields)
    assert connector == build(known, **fields)
    text = json.dumps(spec_of(connector))
    assert TypeAdapter(Connector).validate_json(text) == connector
    assert (connector.smtp is None) is not (
        connector.enable_mail_send_from and bool("smtp" in fields or (known and known.smtp))
    )
