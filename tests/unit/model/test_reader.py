"""The reader makes the same value as pydantic; pydantic decides about everything that the reader rejects."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler.config.owner_rules import OwnerRules
from reconciler.config.template_documents import TableHead, TemplateHead, TemplateUseHead
from reconciler.model import validators
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.reader import REFUSES, reader
from reconciler.model.resource import canonical_json, spec_of
from reconciler.model.validators import Invalid, validated, validated_text, validator
from tests.faulty_documents import faulty
from tests.strategies import snapshots

WRITTEN: Final[dict[str, Any]] = {
    "kind": "EmailConnector",
    "name": "a",
    "imap": {"server": "imap.example.com", "port": 993, "password": "env:A"},
    "labels": ["hr"],
}
CONNECTOR: Final = Connector(
    name="a", display_name="A", imap=MailServer(server="h", port=993, security=Security.IMPLICIT)
)


def by_pydantic(type_: type[Any], text: str) -> Any:
    """What pydantic makes of a text, or None."""
    try:
        return validator(type_).validate_json(text)
    except ValidationError:
        return None


def by_reader(type_: type[Any], value: Any) -> Any:
    """What the reader makes of a value, or None."""
    try:
        return reader(type_)(value)
    except REFUSES:
        return None


@given(st.data())
def test_a_stored_specification_is_read_as_pydantic_reads_it(data: st.DataObject) -> None:
    resource = data.draw(st.sampled_from(data.draw(snapshots()).resources or (CONNECTOR,)))
    assert by_reader(type(resource), spec_of(resource)) == resource
    value = data.draw(faulty(st.just(spec_of(resource))))
    assert by_reader(type(resource), value) == by_pydantic(type(resource), json.dumps(value))


OTHERS: Final[list[tuple[type[Any], dict[str, Any]]]] = [
    (
        OwnerRules,
        {
            "lineage": "x",
            "limits": {"min_connectors": 3},
            "secrets": {"file_folders": ["/run"]},
            "credentials": [{"references": ["env:*"], "hosts": ["*.example.com"]}],
        },
    ),
    (
        TemplateHead,
        {
            "kind": "Template",
            "name": "shop",
            "parameters": {"port": {"type": "integer", "default": 993}},
        },
    ),
    (TemplateUseHead, {"template": "shop", "parameters": {"city": "Berlin"}}),
    (
        TableHead,
        {
            "kind": "EmailConnectors",
            "template": "shop",
            "renamed_from": {"a": "b"},
            "connectors": {"berlin": {"city": "Berlin", "port": 993.0, "tls": True}},
        },
    ),
]


@given(st.data())
def test_other_documents_are_read_as_pydantic_reads_them(data: st.DataObject) -> None:
    type_, whole = data.draw(st.sampled_from(OTHERS))
    assert by_reader(type_, whole) is not None
    value = data.draw(faulty(st.just(whole)))
    assert by_reader(type_, value) == by_pydantic(type_, json.dumps(value))


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a\ud800"},
        {"display_name": "\ud800"},
        {"labels": ["hr", None]},
        {"labels": ("hr",)},
        {"imap": {"port": float("nan")}},
        {"imap": {"port": 10**400}},
        {"imap": []},
        {"kind": None},
        {"kind": "Group"},
        {"save_sent": 1},
        {1: 2},
    ],
)
def test_values_that_json_cannot_have_are_not_read(fields: dict[Any, Any]) -> None:
    assert by_reader(ConnectorDocument, WRITTEN) is not None
    assert by_reader(ConnectorDocument, {**WRITTEN, **fields}) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"display_name":"A","name":"b","name":"a"}',
        '{"display_name":"\\ud800","name":"a"}',
        '{ "name": "a", "display_name": "A" }',
        '{"display_name":"A","name":"a","timeout_seconds":NaN}',
        '{"display_name":"A","name":"a","timeout_seconds":1e0}',
        "[" * 100_000,
        "",
    ],
)
def test_text_that_is_not_canonical_is_left_to_pydantic(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validators, "_is_early", lambda _: True)
    known = by_pydantic(Connector, text)
    if known is None:
        with pytest.raises(Invalid):
            validated_text(Connector, text)
    else:
        assert validated_text(Connector, text) == known


@pytest.mark.parametrize("early", [True, False])
def test_the_reader_and_pydantic_take_and_refuse_the_same(
    early: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(validators, "_is_early", lambda _: early)
    text = canonical_json(spec_of(CONNECTOR))
    assert validated_text(Connector, text) == CONNECTOR
    assert validated(Connector, spec_of(CONNECTOR)) == CONNECTOR
    with pytest.raises(Invalid) as caught:
        validated(ConnectorDocument, {**WRITTEN, "imap": {"port": 0}})
    assert caught.value.route == ("imap", "port")
    assert caught.value.reason == "Input should be greater than or equal to 1"
