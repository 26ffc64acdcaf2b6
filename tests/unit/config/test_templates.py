from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config import template_use
from reconciler.config.combine import combine
from reconciler.config.declared import declared, declared_labels
from reconciler.config.expansion import PERMISSIONS, WRITTEN_ONLY
from reconciler.config.schema import Validator
from reconciler.config.settings import Settings, Variable, VariableType
from reconciler.config.template_documents import HEAD_FIELDS, TemplateUseHead
from reconciler.config.written_schema import editor_schema
from reconciler.model.address import Address, Kind
from reconciler.model.connector import Security

TEMPLATE: Final = """\
kind: Template
name: shop
parameters:
  city: {}
  port: {type: integer, default: 993}
display_name: Shop ${city}
imap:
  server: imap.example.com
  port: ${port}
  security: implicit
  username: ${name}@example.com
  password: env:SHOP_PASSWORD
labels: [a, b]
permissions:
  administrators: {users: [lead@example.com]}
"""


def use(name: str = "paris", more: str = "") -> str:
    return (
        f"kind: EmailConnector\nname: {name}\ntemplate: shop\nparameters: {{city: Paris}}\n{more}"
    )


def table(rows: str, more: str = "") -> str:
    return f"kind: EmailConnectors\ntemplate: shop\n{more}connectors: {{{rows}}}\n"


def told(loaded: Any) -> list[tuple[str, str]]:
    return [(item.rule, item.location.removeprefix("connectors.d/")) for item in loaded.diagnostics]


def connectors(loaded: Any) -> dict[str, Any]:
    assert loaded.diagnostics == ()
    return {item.name: item for item in loaded.snapshot.connectors}


def test_a_connector_takes_what_it_does_not_say_from_its_template(load_text: Any) -> None:
    loaded = load_text(template=TEMPLATE, use=use(more="labels: [c]\nimap: {port: 1993}\n"))
    paris = connectors(loaded)["paris"]
    assert (paris.display_name, paris.labels) == ("Shop Paris", ("c",))
    assert (paris.imap.server, paris.imap.port) == ("imap.example.com", 1993)
    assert paris.imap.username == "paris@example.com"
    (rights,) = loaded.snapshot.permissions
    assert (rights.connector, rights.administrators.users) == ("paris", ("lead@example.com",))


def test_the_digest_is_that_of_the_connector_written_out(load_text: Any, tmp_path: Any) -> None:
    made = load_text(template=TEMPLATE, use=use())
    for path in tmp_path.rglob("*.yaml"):
        path.unlink()
    plain = load_text(
        "kind: EmailConnector\nname: paris\ndisplay_name: Shop Paris\nlabels: [a, b]\n"
        "imap: {server: imap.example.com, port: 993, security: implicit,"
        " username: paris@example.com, password: env:SHOP_PASSWORD}\n---\n"
        "kind: Permissions\nconnector: paris\nadministrators: {users: [lead@example.com]}\n"
    )
    assert made.digest == plain.digest != ""


def test_three_hundred_connectors_take_three_hundred_lines(load_text: Any) -> None:
    rows = "".join(f"  shop-{number}: {{city: City {number}}}\n" for number in range(300))
    text = f"kind: EmailConnectors\ntemplate: shop\nconnectors:\n{rows}"
    loaded = load_text(template=TEMPLATE, table=text)
    found = connectors(loaded)
    assert len(found) == len(loaded.snapshot.permissions) == 300
    assert found["shop-299"].display_name == "Shop City 299"
    assert (loaded.files, loaded.documents) == (2, 2)


def test_a_line_of_a_table_wins_over_the_table_and_that_over_the_template(load_text: Any) -> None:
    more = "parameters: {city: X, port: 1}\nimap: {server: b.example.com}\nrenamed_from: {b: old}\n"
    loaded = load_text(template=TEMPLATE, table=table("a: {}, b: {city: Y}", more))
    found = connectors(loaded)
    assert [found[name].display_name for name in "ab"] == ["Shop X", "Shop Y"]
    assert [found[name].imap.port for name in "ab"] == [1, 1]
    assert found["a"].imap.server == "b.example.com"
    assert loaded.renames == (("b", "old"),)


def test_replacements_of_parameters_are_not_searched_again(load_text: Any) -> None:
    settings = Settings(variables={"sign": Variable(default="${name} ${var.sign}")})
    text = use().replace("Paris", "'${var.sign}'")
    found = load_text(template=TEMPLATE, use=text, settings=settings)
    assert connectors(found)["paris"].display_name == "Shop ${name} ${var.sign}"


def test_variables_stand_in_templates_and_in_defaults(load_text: Any) -> None:
    settings = Settings(
        variables={
            "port": Variable(type=VariableType.INTEGER, default=1143),
            "domain": Variable(default="example.org"),
        }
    )
    text = TEMPLATE.replace("default: 993", "default: '${var.port}'")
    text = text.replace("${name}@example.com", "${name}@${var.domain}")
    loaded = load_text(template=text, use=use(), settings=settings)
    paris = connectors(loaded)["paris"]
    assert (paris.imap.port, paris.imap.username) == (1143, "paris@example.org")
    rules = {rule for rule, _ in told(load_text(template=text, use=use()))}
    assert rules == {"variable/unknown"}


def test_placeholders_in_a_command_are_kept(load_text: Any) -> None:
    text = TEMPLATE.replace("env:SHOP_PASSWORD", "'command:pass ${city} $X'")
    loaded = load_text(template=text, use=use())
    assert [item.rule for item in loaded.diagnostics] == ["secret/scheme-not-allowed"]
    assert "Used by paris." in loaded.diagnostics[0].message


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("imap.example.com", "a b", "template.yaml:8:11"),
        ("${city}", "${citty}", "template.yaml:6:15"),
        ("labels: [a, b]", "labels: [a, a]", "template.yaml:13:13"),
        ("[lead@example.com]", "lead", "template.yaml:15:27"),
    ],
)
def test_a_problem_of_a_template_is_reported_once_in_its_file(
    load_text: Any, old: str, new: str, place: str
) -> None:
    rows = "a: {city: A}, b: {city: B}, c: {city: C}"
    loaded = load_text(template=TEMPLATE.replace(old, new), table=table(rows))
    assert [where for _, where in told(loaded)] == [place]


def test_a_problem_of_a_filled_in_text_names_who_has_it(load_text: Any) -> None:
    text = TEMPLATE.replace("imap.example.com", "${city}")
    loaded = load_text(template=text, table=table("a: {city: A B}, b: {city: b}, c: {city: C D}"))
    assert told(loaded) == [("schema/pattern", "template.yaml:8:11")]
    assert loaded.diagnostics[0].message.endswith("Used by a and 1 more.")
    assert "A B" not in loaded.diagnostics[0].message


def test_a_problem_of_an_own_field_is_reported_in_the_connector(load_text: Any) -> None:
    for more, place in (
        ("imap: {port: 70000}\n", "use.yaml:5:14"),
        ("imap: {prot: 1}\n", "use.yaml:5:8"),
        ("permissions: {users: {groups: [none]}}\n", "use.yaml:5:32"),
        ("sent_folder: 1\n", "use.yaml:5:14"),
    ):
        loaded = load_text(template=TEMPLATE, use=use(more=more))
        assert [where for _, where in told(loaded)] == [place], more


@pytest.mark.parametrize(
    ("arguments", "rule", "place"),
    [
        ("{}", "template/unset-parameter", "use.yaml:3:11"),
        ("{city: A, citty: B}", "template/unknown-parameter", "use.yaml:4:23"),
        ("{city: A, port: x}", "template/parameter-type", "use.yaml:4:29"),
        ("{city: A, name: x}", "template/unknown-parameter", "use.yaml:4:23"),
    ],
)
def test_arguments_are_those_that_the_template_declares(
    load_text: Any, arguments: str, rule: str, place: str
) -> None:
    loaded = load_text(template=TEMPLATE, use=use().replace("{city: Paris}", arguments))
    assert told(loaded) == [(rule, place)]


def test_references_to_a_rejected_connector_are_not_reported_as_missing(
    load_text: Any,
) -> None:
    policy = "kind: GlobalSmtpPolicy\nenabled: true\nconnector: paris\n"
    loaded = load_text(use=use(), policy=policy)
    assert told(loaded) == [("name/unknown-template", "use.yaml:3:11")]


def test_a_template_in_a_file_that_cannot_be_read_is_not_missing(load_text: Any) -> None:
    loaded = load_text(use=use(), broken="a: [")
    assert [item.rule for item in loaded.diagnostics] == ["yaml/syntax"]


def test_permissions_in_a_connector_and_in_a_document_are_duplicates(load_text: Any) -> None:
    rights = "kind: Permissions\nconnector: paris\nusers: {users: [x]}\n"
    loaded = load_text(template=TEMPLATE, use=use(), z=rights)
    assert told(loaded) == [("name/duplicate", "z.yaml:2:12")]
    assert "connectors.d/use.yaml:2:7" in loaded.diagnostics[0].message


def test_a_duplicate_name_is_reported_at_its_line(load_text: Any) -> None:
    loaded = load_text(template=TEMPLATE, use=use(), z=table("paris: {city: X}"))
    assert set(told(loaded)) == {("name/duplicate", "z.yaml:3:14")}


def test_a_small_file_cannot_expand_into_a_huge_configuration(
    load_text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ", ".join(f"shop-{number}: {{}}" for number in range(200))
    text = table(rows, f"parameters: {{city: {'x' * 100}}}\n")
    monkeypatch.setattr(template_use, "MOST_CHARACTERS", 20_000)
    loaded = load_text(template=TEMPLATE, table=text)
    ((rule, _),) = told(loaded)
    assert rule == "template/expansion"


def test_many_values_of_many_connectors_are_bounded(load_text: Any) -> None:
    wide = ", ".join(f"u{number}@example.com" for number in range(4_000))
    text = TEMPLATE.replace("lead@example.com", wide)
    rows = ", ".join(f"shop-{number}: {{city: x}}" for number in range(300))
    loaded = load_text(template=text, table=table(rows))
    assert [rule for rule, _ in told(loaded)] == ["template/expansion"]
    assert loaded.snapshot is None


def test_one_mistake_in_many_lines_is_one_problem(load_text: Any) -> None:
    text = TEMPLATE.replace("imap.example.com", "${city}")
    rows = ", ".join(f"shop-{number}: {{city: A B}}" for number in range(300))
    loaded = load_text(template=text, table=table(rows))
    assert told(loaded) == [("schema/pattern", "template.yaml:8:11")]


def test_a_connectors_own_sign_in_replaces_that_of_the_template(load_text: Any) -> None:
    more = "imap: {security: starttls, port: 143}\n"
    text = TEMPLATE.replace("security: implicit", "use_ssl: true")
    imap = connectors(load_text(template=text, use=use(more=more)))["paris"].imap
    assert imap.security is Security.STARTTLS
    assert combine({"oauth2": {"flow": "x"}}, {"password": "env:A", "username": "u"}) == {
        "username": "u",
        "oauth2": {"flow": "x"},
    }


_VALUES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
_FIELDS = st.dictionaries(st.sampled_from("abc"), _VALUES)


@given(own=_FIELDS, template=_FIELDS)
def test_combined_fields_hold_both_and_the_connectors_own_take_precedence(
    own: Any, template: Any
) -> None:
    before = json.dumps([own, template])
    found = combine(own, template)
    assert set(found) == set(own) | set(template)
    assert combine(own, found) == found
    assert json.dumps([own, template]) == before
    for name, value in own.items():
        if not isinstance(value, dict):
            assert found[name] == value


def test_completion_knows_the_lines_and_labels_of_tables(load_text: Any, tmp_path: Any) -> None:
    load_text(template=TEMPLATE, table=table("berlin: {city: B}", "labels: [c]\n"))
    root = tmp_path / "connectors.d"
    assert Address(Kind.EMAIL_CONNECTOR, "berlin") in declared((root,))
    assert declared_labels((root,)) == {"a", "b", "c"}


def test_an_editor_accepts_templates_and_tables() -> None:
    editor = Validator(editor_schema())
    template: dict[str, Any] = {
        "kind": "Template",
        "name": "shop",
        "parameters": {"port": {"type": "integer", "default": 993}},
        "imap": {"server": "imap.${name}.example", "port": "${port}", "password": "env:${prefix}"},
        "permissions": {"users": {"groups": ["${group}"]}},
    }
    assert editor.is_valid(template)
    assert not editor.is_valid({**template, "renamed_from": "x"})
    assert not editor.is_valid({**template, "imap": {"prot": 1}})
    assert not editor.is_valid({**template, "permissions": {"connector": "x"}})
    rows: dict[str, Any] = {
        "kind": "EmailConnectors",
        "template": "shop",
        "connectors": {"berlin": {"city": "Berlin", "port": 143}, "kiel": {}},
    }
    assert editor.is_valid(rows)
    assert not editor.is_valid({**rows, "name": "x"})
    assert not editor.is_valid({**rows, "connectors": ["berlin"]})
    assert editor.is_valid({"kind": "EmailConnector", "name": "a", "template": "shop"})


@pytest.mark.parametrize("name", ["city", "name"])
def test_a_parameter_in_the_fields_of_a_table_belongs_in_the_template(
    load_text: Any, name: str
) -> None:
    more = f"from_name: Shop ${{{name}}}\n"
    found = load_text(template=TEMPLATE, table=table("berlin: {city: Berlin}", more))
    (problem,) = found.diagnostics
    assert problem.rule == "variable/syntax"
    assert problem.hint == (
        f"${{{name}}} is a parameter, which has its value in the texts of a template only: "
        "write this field in the template shop."
    )
    other = load_text(
        template=TEMPLATE, table=table("berlin: {city: Berlin}", "from_name: ${HOME}\n")
    )
    assert "of a shell" in other.diagnostics[0].hint


def test_what_only_written_connectors_have_is_what_they_say_of_a_template() -> None:
    assert HEAD_FIELDS[TemplateUseHead] | {PERMISSIONS} == WRITTEN_ONLY


@pytest.mark.parametrize("head", HEAD_FIELDS)
def test_the_fields_of_each_head_are_listed(head: type[Any]) -> None:
    assert HEAD_FIELDS[head] == {item.name for item in fields(head)}
