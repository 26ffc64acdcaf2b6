"""The published schemas: current, well-formed, and in agreement with the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler.config.documents import TYPES, kind_of
from reconciler.config.schema import (
    Validator,
    connectors_schema,
    document_schema,
    settings_schema,
)
from reconciler.config.settings import Settings
from reconciler.config.written_schema import editor_schema, published
from reconciler.model.reader import REFUSES, reader
from reconciler.model.validators import validator
from tests.faulty_documents import documents

SCHEMAS: Final = Path(__file__).parents[3] / "schemas"


def model_accepts(document: Any) -> bool:
    kind = kind_of(document)
    return kind is not None and accepts(TYPES[kind], document)


def accepts(type_: type[Any], document: Any) -> bool:
    """Whether pydantic takes a document; the reader takes the same, and makes the same of it."""
    try:
        value = validator(type_).validate_json(json.dumps(document))
    except ValidationError:
        with pytest.raises(REFUSES):
            reader(type_)(document)
        return False
    assert reader(type_)(document) == value
    return True


EXAMPLE: Final[dict[str, Any]] = {"kind": "EmailConnector", "name": "a", "imap": {}}


@settings(max_examples=2 * settings().max_examples)
@given(
    document=st.one_of(
        [documents(connectors_schema(), connectors_schema()["$defs"][str(kind)]) for kind in TYPES]
    )
)
@example(document={**EXAMPLE, "name": "a\n"})
@example(document={**EXAMPLE, "imap": {"port": 993.0}})
@example(document={**EXAMPLE, "imap": {"port": True}})
@example(document={**EXAMPLE, "imap": {"port": 0.0}})
@example(document={**EXAMPLE, "imap": {"server": "\ufeff"}})
@example(document={**EXAMPLE, "imap": {"password": "env:\ufeffA"}})
@example(document={**EXAMPLE, "imap": None})
@example(document={**EXAMPLE, "draft": 1})
@example(document={**EXAMPLE, "display_name": "x" * 201})
@example(document={**EXAMPLE, "display_name": "😀" * 200})
@example(document={**EXAMPLE, "labels": "ab"})
@example(document={"name": "a"})
@example(document={"kind": "Group\n", "name": "a"})
@example(document=[])
def test_a_document_is_valid_exactly_when_its_model_accepts_it(document: Any) -> None:
    assert Validator(connectors_schema()).is_valid(document) is model_accepts(document)


@given(document=documents(settings_schema(), settings_schema()))
@example(document={"limits": {"min_connectors": 10.0}})
def test_settings_are_valid_exactly_when_the_model_accepts_them(document: Any) -> None:
    assert Validator(settings_schema()).is_valid(document) is accepts(Settings, document)


@pytest.mark.parametrize("name", published())
def test_the_published_schema_is_current(name: str) -> None:
    text = json.dumps(published()[name], indent=2, ensure_ascii=False) + "\n"
    assert (SCHEMAS / name).read_text(encoding="utf-8") == text, (
        "run: reconciler schema --out schemas"
    )


def test_an_editor_accepts_variables_where_they_are_replaced() -> None:
    imap = {
        "server": "imap.${var.domain}",
        "port": "${var.port}",
        "use_ssl": "${var.secure}",
        "username": "support@${var.domain}",
        "password": "env:${var.prefix}_PASSWORD",
    }
    document = {"kind": "EmailConnector", "name": "${var.name}", "imap": imap}
    editor = Validator(editor_schema())
    assert editor.is_valid(document)
    assert editor.is_valid({**document, "imap": {**imap, "port": 993}})
    secured = {**imap, "security": "${var.security}"}
    assert editor.is_valid({**document, "imap": secured})
    assert editor.is_valid({**document, "imap": {**imap, "security": "starttls"}})
    for name, value in (
        ("port", "993"),
        ("port", "x${var.port}"),
        ("use_ssl", "yes"),
        ("security", "tls"),
        ("security", "${var.security}x"),
    ):
        assert not editor.is_valid({**document, "imap": {**imap, name: value}}), value
    assert not editor.is_valid({**document, "name": "No Name"})


@pytest.mark.parametrize("schema", published().values())
def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    Validator.check_schema(schema)


def test_no_field_can_be_null_and_no_alternative_blurs_an_error() -> None:
    text = json.dumps(published())
    assert '"null"' not in text
    assert "anyOf" not in text
    assert "oneOf" not in text


def resolved(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A field with what its definition says beside what it says itself."""
    if "$ref" not in field:
        return field
    return {**schema["$defs"][field["$ref"].rpartition("/")[2]], **field}


def every_field(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{owner}.{name}", field)
        for owner, item in (("", schema), *schema["$defs"].items())
        for name, field in item.get("properties", {}).items()
    ]


@pytest.mark.parametrize("schema", published().values())
def test_every_field_has_a_title_of_its_own_a_sentence_and_an_example(
    schema: dict[str, Any],
) -> None:
    found = every_field(schema)
    assert len(found) >= 25
    for name, field in found:
        whole = resolved(field, schema)
        whole |= whole.get("else", {})
        assert field.get("title"), name
        assert field["description"].endswith((".", ").")), name
        assert field["description"].rstrip(".") != field["title"], name
        if "enum" in whole:
            assert len(whole["enumDescriptions"]) == len(whole["enum"]), name
            assert all(text.endswith(".") for text in whole["enumDescriptions"]), name
        elif "const" not in whole and whole["type"] not in ("boolean", ["boolean", "string"]):
            assert field["examples"], name
    for owner, item in schema["$defs"].items():
        titles = [field["title"] for field in item.get("properties", {}).values()]
        assert len(titles) == len(set(titles)), owner


@pytest.mark.parametrize("schema", published().values())
def test_every_example_and_every_default_is_valid(schema: dict[str, Any]) -> None:
    for name, field in every_field(schema):
        part = {**field, "$defs": schema["$defs"]}
        values = [*field.get("examples", ()), *(field[key] for key in ("default",) if key in field)]
        for value in values:
            assert Validator(part).is_valid(value), (name, value)


def test_every_pattern_has_words_for_editors() -> None:
    def patterns(schema: Any) -> list[dict[str, Any]]:
        items = list(schema.values()) if isinstance(schema, dict) else schema
        found = [schema] if isinstance(schema, dict) and "pattern" in schema else []
        nested = [item for item in items if isinstance(item, dict | list)]
        return found + [one for item in nested for one in patterns(item)]

    for schema in published().values():
        for item in patterns(schema):
            decides = item == {"pattern": item["pattern"]}  # whether a variable stands there
            assert decides or item["patternErrorMessage"].endswith("."), item["pattern"]


def test_the_titles_of_definitions_are_the_kinds_alone() -> None:
    definitions = connectors_schema()["$defs"]
    titles = {name: item["title"] for name, item in definitions.items() if "title" in item}
    assert titles == {str(kind): str(kind) for kind in TYPES}


def test_the_ids_are_those_of_every_release() -> None:
    base = "https://reconciler.example/schemas"
    assert {name: schema["$id"] for name, schema in published().items()} == {
        name: f"{base}/{name}" for name in published()
    }


@pytest.mark.parametrize("kind", TYPES)
def test_each_kind_has_a_schema_of_its_own(kind: Any) -> None:
    Validator.check_schema(document_schema(kind))
    assert not Validator(document_schema(kind)).is_valid({"kind": str(kind), "no": 1})
