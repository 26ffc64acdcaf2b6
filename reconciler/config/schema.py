"""The JSON Schemas (2020-12) of what users write, generated from the models.

They dispatch by ``kind`` with ``if`` and ``then`` instead of alternatives, so that errors are
reported at the right field, here and in every editor.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator, ValidationError, validators
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from reconciler.config.documents import TYPES
from reconciler.config.settings import Settings
from reconciler.config.shapes import SHAPES
from reconciler.model.secret_ref import REFERENCE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import core_schema

    from reconciler.model.address import Kind

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE_EXTRAS: Final[Schema] = {
    "examples": ["env:SUPPORT_PASSWORD", "file:/run/secrets/support"],
    # Understood by the YAML and JSON servers of editors, and ignored by other tools.
    "patternErrorMessage": "Write a reference such as env:NAME, never the secret itself.",
}


@cache
def connectors_schema() -> Schema:
    """The schema of any one document of ``connectors.d/``."""
    _, generated = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(type_)) for kind, type_ in TYPES.items()],
        schema_generator=SchemaGenerator,
    )
    definitions: Schema = generated["$defs"]
    definitions.pop("SecretRef", None)  # always used as text
    for kind, type_ in TYPES.items():
        document = definitions.pop(type_.__name__)
        document["required"] = sorted({"kind", *document.get("required", ())})
        document["properties"]["kind"] = {
            "const": str(kind),
            "title": "Kind",
            "description": meaning_of(type_),
        }
        definitions[str(kind)] = document
    return {
        "$schema": DIALECT,
        "$id": schema_id("connectors"),
        "title": "Email connectors as code",
        "description": "One document of a file in connectors.d.",
        "type": "object",
        "required": ["kind"],
        "properties": {
            "kind": {
                "title": "Kind",
                "description": "What the document declares.",
                "enum": [str(kind) for kind in TYPES],
                "enumDescriptions": [meaning_of(type_) for type_ in TYPES.values()],
            }
        },
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": str(kind)}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in TYPES
        ],
        "$defs": finished_definitions(definitions),
    }


def schema_id(name: str) -> str:
    """The ``$id`` of a published schema: a name, the same in every release, and not an address to load it from."""
    return f"https://reconciler.example/schemas/{name}.schema.json"


def meaning_of(type_: type) -> str:
    """The first paragraph of a type's docstring, on one line and without marks for Sphinx."""
    return _plain((type_.__doc__ or "").strip().partition("\n\n")[0])


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def document_schema(kind: Kind) -> Schema:
    """The part of :func:`connectors_schema` that validates documents of one kind."""
    schema = connectors_schema()
    return {"$schema": DIALECT, "$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]}


@cache
def settings_schema() -> Schema:
    """The schema of ``reconciler.yaml``."""
    schema = TypeAdapter(Settings).json_schema(schema_generator=SchemaGenerator)
    definitions = finished_definitions(schema.pop("$defs"))
    return {
        "$schema": DIALECT,
        "$id": schema_id("settings"),
        **_finish(schema),
        "title": "Settings of reconciler",
        "$defs": definitions,
    }


def _ecma_pattern(
    validator: object, pattern: str, instance: object, schema: object
) -> Iterator[ValidationError]:
    """The keyword ``pattern`` in ECMA-262 semantics: ``$`` does not match before a newline."""
    del validator, schema
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("does not match")


Validator: Final[type[Draft202012Validator]] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _ecma_pattern}
)
"""Validates as the published schemas intend. Its messages quote values: never show them."""


class SchemaGenerator(GenerateJsonSchema):
    """Omits noise: null, which no field accepts, and titles made from names.

    Descriptions of an enumeration's values go into the keyword of VS Code's language servers.
    """

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """Add the meaning of each word."""
        meanings = [member.description for member in schema["members"]]
        return super().enum_schema(schema) | {"enumDescriptions": meanings}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Omit null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Omit a default of null."""
        generated = super().default_schema(schema)
        if generated.get("default", ...) is None:
            del generated["default"]
        return generated

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Keep only explicit titles of fields."""
        del schema
        return False


def finished_definitions(definitions: Schema, titled: frozenset[str] = frozenset()) -> Schema:
    """Complete definitions; only kinds keep their titles, which are names of classes."""
    return {
        name: _finish({key: value for key, value in definition.items() if key != "title"})
        | ({"title": name} if name in {*TYPES, *titled} else {})
        for name, definition in definitions.items()
    }


def _finish(schema: Any, *, names: bool = False) -> Any:
    """Clean up descriptions, which may be docstrings, and complete the fields of references.

    ``names`` says that the keys are field names, not keywords.
    """
    if isinstance(schema, list):
        return [_finish(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if names:
        return {name: _finish(item) for name, item in schema.items()}
    finished = {
        key: value if key in VALUES else _finish(value, names=key == "properties")
        for key, value in schema.items()
    }
    if isinstance(text := finished.get("description"), str):
        finished["description"] = _plain(text)
    pattern = schema.get("pattern")
    if pattern == REFERENCE_PATTERN:
        return _REFERENCE_EXTRAS | finished
    if pattern in SHAPES:  # a message for the YAML and JSON servers of editors
        return finished | {"patternErrorMessage": f"Expected {SHAPES[pattern]}."}
    return finished


VALUES: Final = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose values are documents, not schemas."""
