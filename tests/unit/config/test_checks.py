"""What the examples do not show of the checks: size, order, and what is not reported."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.catalogue import catalogue
from reconciler.config.checks import run
from reconciler.config.compose import compose
from reconciler.config.documents import parse
from reconciler.config.explain import explain
from reconciler.config.resolved import ResolvedConfiguration
from reconciler.config.settings import Settings
from reconciler.model.connector import Security
from reconciler.model.provider import OAuth2Defaults, Provider, ServerDefaults
from reconciler.secrets.schemes import BUILT_IN_SCHEMES, ENTRY_POINT_GROUP, known_schemes


def rules(loaded: Any) -> list[str]:
    return [item.rule for item in loaded.diagnostics]


def group(name: str, *groups: str, users: str = "") -> str:
    return f"---\nkind: Group\nname: {name}\nmembers: {{users: [{users}], groups: [{', '.join(groups)}]}}\n"


def connector(name: str, **fields: str) -> str:
    lines = [f"---\nkind: EmailConnector\nname: {name}"]
    imap = "{server: mail.example.com, port: 993, use_ssl: true, username: a, password: env:A}"
    lines += [f"{key}: {value}" for key, value in {"imap": imap, **fields}.items()]
    return "\n".join(lines) + "\n"


def test_a_cycle_is_reported_once_whichever_group_it_is_entered_by(load_text: Any) -> None:
    text = group("a", "b") + group("b", "b", "c") + group("c", "b") + group("d", "b", "c")
    loaded = load_text(text)
    assert rules(loaded) == ["directory/group-cycle"] * 2
    assert "b → b" in loaded.diagnostics[0].message
    assert "b → c → b" in loaded.diagnostics[1].message


def test_groups_that_share_a_group_are_not_a_cycle(load_text: Any) -> None:
    text = group("a", "b", "c") + group("b", "d") + group("c", "d") + group("d", users="x")
    assert rules(load_text(text)) == []


def test_a_long_chain_of_groups_is_followed(load_text: Any) -> None:
    text = "".join(group(f"g{n}", f"g{n + 1}") for n in range(2_000)) + group("g2000", "g0")
    loaded = load_text(text)
    assert rules(loaded) == ["directory/group-cycle"]


def test_an_unknown_group_leaves_open_whether_there_is_an_administrator(load_text: Any) -> None:
    text = "kind: Roles\nadministrators: {groups: [nobody]}\n"
    assert rules(load_text(text)) == ["name/unknown-group"]


def test_an_administrator_through_two_groups_counts(load_text: Any) -> None:
    text = "kind: Roles\nadministrators: {groups: [a]}\n" + group("a", "b") + group("b", users="x")
    assert rules(load_text(text)) == []


def test_nothing_is_unknown_while_a_file_cannot_be_read(load_text: Any) -> None:
    refers = "kind: Permissions\nconnector: a\nusers: {groups: [b]}\nenable_b2b: true\n"
    assert "name/unknown-connector" in rules(load_text(refers))
    assert rules(load_text(a=refers, b=b"\xff")) == ["file/encoding"]


def test_the_first_of_two_documents_counts_for_the_others(load_text: Any) -> None:
    text = connector("a") + connector("a", draft="true") + "---\nkind: Permissions\nconnector: a\n"
    loaded = load_text(text)
    assert rules(loaded) == ["name/duplicate"]
    assert "connectors.d/a.yaml:3:7" in loaded.diagnostics[0].message


def test_permissions_and_connector_of_one_name_are_not_duplicates(load_text: Any) -> None:
    text = connector("a") + "---\nkind: Permissions\nconnector: a\n" + group("a", users="x")
    assert rules(load_text(text)) == []


def test_a_policy_that_is_off_may_name_a_connector_that_cannot_send(load_text: Any) -> None:
    policy = "---\nkind: GlobalSmtpPolicy\nenabled: {}\nconnector: a\n"
    assert rules(load_text(connector("a") + policy.format("false"))) == []
    assert rules(load_text(connector("a") + policy.format("true"))) == ["policy/cannot-send"]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("localhost", []),
        ("LOCALHOST.", []),
        ("127.0.0.2", []),
        ('"::1"', []),
        ("10.0.0.1", ["tls/cleartext"]),
        ("localhost.example.com", ["tls/cleartext"]),
    ],
)
def test_only_this_machine_gets_a_password_in_plain_text(
    load_text: Any, host: str, told: list[str]
) -> None:
    imap = f"{{server: {host}, port: 1143, use_ssl: false, username: a, password: env:A}}"
    assert rules(load_text(connector("a", imap=imap))) == told


def test_addresses_are_the_same_whatever_their_case(load_text: Any) -> None:
    smtp = "{{server: mail.example.com, port: 465, use_ssl: true, email_address: {}}}"
    text = "".join(
        connector(name, enable_mail_send_from="true", smtp=smtp.format(address))
        for name, address in (("b", "X@example.com"), ("a", "x@Example.com"))
    )
    loaded = load_text(text)
    assert rules(loaded) == ["connector/same-address"]
    assert "`a`" in loaded.diagnostics[0].message


def test_a_draft_does_not_count_as_sharing_an_address(load_text: Any) -> None:
    smtp = "{server: mail.example.com, port: 465, use_ssl: true, email_address: x@example.com}"
    text = connector("a", enable_mail_send_from="true", smtp=smtp)
    text += connector("b", enable_mail_send_from="true", smtp=smtp, draft="true")
    assert rules(load_text(text)) == []


def test_a_reference_is_checked_in_a_document_with_other_faults(load_text: Any) -> None:
    imap = "{port: 0, password: vault:x, oauth2: {grant: refresh_token, client_secret: 'gcp:y'}}"
    told = rules(load_text(connector("a", imap=imap)))
    assert sorted(told) == ["schema/range", "secret/unknown-scheme", "secret/unknown-scheme"]


def test_a_typo_in_a_scheme_gets_a_suggestion(load_text: Any) -> None:
    imap = "{server: a, port: 993, use_ssl: true, username: a, password: fiel:/x}"
    (item,) = load_text(connector("a", imap=imap)).diagnostics
    assert item.hint == "Did you mean `file`?"


def test_an_oauth2_password_of_the_provider_is_warned_of_on_both_sides(load_text: Any) -> None:
    text = """\
kind: Provider
name: p
imap: {server: i.example.com, port: 993, security: implicit, password_until: "2022-10-01"}
smtp: {server: s.example.com, port: 587, security: starttls, password_until: "2026-12-31"}
sign_in: [oauth2]
oauth2: {token_endpoint: "https://login.example.com/", delegated_scopes: [mail]}
---
kind: EmailConnector
name: a
provider: p
imap: {username: a@example.com, password: env:A}
enable_mail_send_from: true
"""
    loaded = load_text(text)
    assert rules(loaded) == ["provider/password-until"] * 2
    assert loaded.snapshot is not None
    elsewhere = text.replace("imap: {username", "imap: {server: other.example.com, username")
    assert rules(load_text(elsewhere)) == ["provider/password-until"]


def test_what_a_missing_provider_would_fill_in_is_not_called_missing(load_text: Any) -> None:
    oauth2 = "{grant: client_credentials, client_id: x, client_secret: env:A}"
    text = connector("a", provider="none", imap=f"{{username: a, oauth2: {oauth2}}}")
    imap = "{server: a, port: 993, use_ssl: true, username: a@example.com, password: env:A}"
    text += connector("b", provider="none", imap=imap, enable_mail_send_from="true")
    assert rules(load_text(text)) == ["name/unknown-provider"] * 2


def test_every_missing_field_is_reported(load_text: Any) -> None:
    text = connector("a", imap="{}", enable_mail_send_from="true", smtp="{port: 587}")
    told = [item.message for item in load_text(text).diagnostics]
    assert [message for message in told if message.startswith("IMAP has no")] == [
        "IMAP has no `server`.",
        "IMAP has no `port`.",
        "IMAP has no `username`.",
        "IMAP has no `password` or `oauth2`.",
    ]
    assert "SMTP has no `use_ssl` or `security`." in told
    assert "SMTP has no `username`." in told


def test_schemes_of_entry_points_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints([EntryPoint("vault", "x:y", ENTRY_POINT_GROUP)])
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points.select(group=group))
    assert known_schemes() == (*BUILT_IN_SCHEMES, "vault")


def test_a_token_endpoint_that_names_no_host_is_not_allowed(load_text: Any) -> None:
    oauth2 = "{grant: refresh_token, client_id: x, refresh_token: env:A, scopes: [x], token_endpoint: 'https://[x/'}"
    imap = f"{{server: mail.example.com, port: 993, use_ssl: true, username: a, oauth2: {oauth2}}}"
    limited = Settings(allowed_hosts=("mail.example.com",))
    loaded = load_text(connector("a", imap=imap), settings=limited)
    assert rules(loaded) == ["oauth2/endpoint", "connector/host-not-allowed"]


def test_documents_that_the_model_rejects_are_always_reported() -> None:
    (document,) = compose("kind: Group\nname: a\n", "a.yaml").documents
    (item,) = explain(document, {})
    assert (item.rule, item.line) == ("schema/invalid", 1)
    (item,) = explain(document, {"properties": {"name": {"minLength": 5}}})
    assert (item.rule, item.line) == ("schema/invalid", 2)


_HALF = {
    "server": st.just("mail.example.com"),
    "use_ssl": st.booleans(),
    "security": st.sampled_from(["implicit", "starttls", "none"]),
    "allow_cleartext_auth": st.booleans(),
    "username": st.sampled_from(["a", "a@example.com"]),
    "password": st.just("env:A"),
    "oauth2": st.fixed_dictionaries(
        {"grant": st.sampled_from(["client_credentials", "refresh_token", "jwt_bearer"])},
        optional={
            "client_id": st.just("x"),
            "client_secret": st.just("env:B"),
            "refresh_token": st.just("env:C"),
            "service_account_key": st.just("env:D"),
            "token_endpoint": st.just("https://login.example.com/"),
            "tenant": st.just("contoso"),
            "scopes": st.just(["mail"]),
        },
    ),
}
_CONNECTORS = st.fixed_dictionaries(
    {"kind": st.just("EmailConnector"), "name": st.just("a")},
    optional={
        "imap": st.fixed_dictionaries(
            {}, optional={**_HALF, "port": st.sampled_from([143, 993, 1993])}
        ),
        "smtp": st.fixed_dictionaries(
            {},
            optional={
                **_HALF,
                "port": st.sampled_from([465, 587, 2465]),
                "email_address": st.just("b@example.com"),
                "use_same_credentials": st.booleans(),
            },
        ),
        "enable_mail_send_from": st.booleans(),
        "provider": st.sampled_from(["p", "q"]),
    },
)
_PROVIDERS = (
    Provider(
        name="p",
        imap=ServerDefaults(server="i.example.com", port=993, security=Security.IMPLICIT),
        smtp=ServerDefaults(server="s.example.com", port=587, security=Security.STARTTLS),
        oauth2=OAuth2Defaults(
            token_endpoint="https://login.example.com/{tenant}", delegated_scopes=("mail",)
        ),
    ),
    Provider(name="q"),
)


@settings(max_examples=10 * settings().max_examples)
@given(document=_CONNECTORS)
def test_a_connector_without_errors_is_complete_and_safe(document: dict[str, Any]) -> None:
    (raw,) = compose(json.dumps(document), "a.yaml").documents
    subject = ResolvedConfiguration(catalogue([parse(raw)], _PROVIDERS, complete=True), Settings())
    if any(item.is_error for item in run(subject)):
        return
    (case,) = subject.cases
    connector = case.connector
    servers = [side.server for side in case.sides]
    assert servers
    for server in servers:
        assert server.complete
        assert server.password is None or server.oauth2 is None
        assert server.security is not Security.NONE or server.allow_cleartext_auth
        if server.oauth2 is not None:
            assert server.oauth2.token_endpoint
            assert "{" not in server.oauth2.token_endpoint
            assert server.oauth2.scopes
            assert list(server.references)
    assert connector.can_send is connector.enable_mail_send_from
    assert (connector.email_address is not None) is connector.enable_mail_send_from


def test_all_unknown_names_are_reported_but_only_the_first_get_a_hint(
    load_text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.config.suggest.COMPARISONS", 3 * 2)
    known = connector("alpha") + connector("beta")
    wrong = ["alhpa", "btea", "alpah", "betta"]
    texts = {
        f"p{number}": f"kind: Permissions\nconnector: {name}\n" for number, name in enumerate(wrong)
    }
    loaded = load_text(known, **texts)
    assert rules(loaded) == ["name/unknown-connector"] * 4
    assert [item.hint for item in loaded.diagnostics] == [
        "Did you mean `alpha`?",
        "Did you mean `beta`?",
        "Did you mean `alpha`?",
        "",
    ]


def test_the_policy_gets_its_hint_before_all_others(
    load_text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.config.suggest.COMPARISONS", 1)
    policy = "kind: GlobalSmtpPolicy\nenabled: true\nconnector: alhpa\n"
    found = load_text(connector("alpha"), p="kind: Permissions\nconnector: alpah\n", z=policy)
    assert [item.hint for item in found.diagnostics] == ["", "Did you mean `alpha`?"]


def test_one_name_that_is_wrong_in_many_places_is_guessed_once(
    load_text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.config.suggest.COMPARISONS", 1)
    text = connector("alpha") + connector("beta")
    text += "".join(
        f"---\nkind: Permissions\nconnector: {name}\nusers: {{groups: [stafff]}}\n"
        for name in ("alpha", "beta")
    )
    text += "---\nkind: Group\nname: staff\nmembers: {users: [a@example.com]}\n"
    found = load_text(text)
    assert [item.hint for item in found.diagnostics] == ["Did you mean `staff`?"] * 2


def test_the_fields_that_hold_references_are_those_of_the_model() -> None:
    from reconciler.config.schema import connectors_schema
    from reconciler.config.text_fields import REFERENCE_FIELDS
    from reconciler.model.secret_ref import REFERENCE_PATTERN

    found = set()
    pending: list[Any] = [connectors_schema()]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for name, field in item.get("properties", {}).items():
                if REFERENCE_PATTERN in json.dumps(field).replace("\\\\", "\\"):
                    found.add(name)
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    assert found | {"username"} == REFERENCE_FIELDS  # which may be a name as well


@pytest.mark.parametrize("text", [
    "$HOST", "{{ host }}", "{{host}}", "mail.$DOMAIN", "{% if x %}", "<%= host %>",
    "%(host)s", "%HOST%", "<HOST>", "<YOUR HOST>",
])  # fmt: skip
def test_placeholders_of_all_kinds_are_named_and_not_repeated(load_text: Any, text: str) -> None:
    loaded = load_text(connector("a", sent_folder=json.dumps(f"{text}")))
    assert rules(loaded) == ["text/placeholder"]
    assert text not in loaded.diagnostics[0].message + loaded.diagnostics[0].hint


@pytest.mark.parametrize("text", [
    "a$b", "US$ 5", "$5", "A$AP", "100 %", "50% off", "a < b", "INBOX.Sent", "Sent {2026}", "o\u2019brien", "$", "env: x",
    "note: this", "files:x", "%d", "pa$$word",
])  # fmt: skip
def test_texts_that_only_look_alike_are_accepted(load_text: Any, text: str) -> None:
    assert rules(load_text(connector("a", sent_folder=json.dumps(text)))) == []


def test_shell_variables_in_braces_are_reported_by_the_rule_for_variables(load_text: Any) -> None:
    for text, rule in (("${HOST}", "syntax"), ("a.${HOST}", "syntax"), ("${var.host}", "unknown")):
        assert rules(load_text(connector("a", sent_folder=json.dumps(text)))) == [
            f"variable/{rule}"
        ]
    imap = (
        "{server: mail.example.com, port: 993, use_ssl: true, username: a, password: 'env:A_${B}'}"
    )
    assert rules(load_text(connector("a", imap=imap))) == ["variable/syntax"]


def test_a_program_of_a_command_may_get_any_text(load_text: Any) -> None:
    imap = ('{server: mail.example.com, port: 993, use_ssl: true, username: a,'
            ' password: "command:vault read -format={{.Data}} $PATH"}')  # fmt: skip
    loaded = load_text(connector("a", imap=imap))
    assert rules(loaded) == ["secret/scheme-not-allowed"]


@pytest.mark.parametrize(
    "mark", list("\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb\u2039\u203a\u00b4`")
)
def test_typographic_quotes_are_named_but_in_texts_for_people(load_text: Any, mark: str) -> None:
    for text in (f"{mark}Sent", f"Sent{mark}", mark):
        assert rules(load_text(connector("a", sent_folder=json.dumps(text)))) == ["text/quotes"]
        assert rules(load_text(connector("a", display_name=json.dumps(text)))) == []
