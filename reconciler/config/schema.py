"""The JSON Schemas (2020-12) of what users write, made from the models.

They dispatch by ``kind`` with ``if`` and ``then`` and hold no alternatives, so that an error is told
about the field that it is in, here and in every editor.
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
from reconciler.model.secret_ref import REFERENCE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import core_schema

    from reconciler.model.address import Kind

Schema = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE_EXTRAS: Final[Schema] = {
    "examples": ["env:SUPPORT_PASSWORD", "file:/run/secrets/support"],
    # Known to the YAML and JSON servers of editors, and ignored by everybody else.
    "patternErrorMessage": "Write a reference such as env:NAME, never the secret itself.",
}


@cache
def connectors_schema() -> Schema:
    """The schema of any one document of ``connectors.d/``."""
    _, generated = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(type_)) for kind, type_ in TYPES.items()],
        schema_generator=_Generator,
    )
    definitions: Schema = generated["$defs"]
    definitions.pop("SecretRef", None)  # a text wherever it is referred to
    for kind, type_ in TYPES.items():
        document = definitions.pop(type_.__name__)
        document["required"] = sorted({"kind", *document.get("required", ())})
        document["properties"]["kind"] = {
            "const": str(kind),
            "description": "What is declared here.",
        }
        definitions[str(kind)] = document
    return {
        "$schema": _DIALECT,
        "$id": "https://reconciler.example/schemas/connectors.schema.json",
        "title": "Email connectors as code",
        "description": "One document of a file in connectors.d.",
        "type": "object",
        "required": ["kind"],
        "properties": {
            "kind": {"enum": [str(kind) for kind in TYPES], "description": "What is declared."}
        },
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": str(kind)}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in TYPES
        ],
        "$defs": _finish(definitions, names=True),
    }


def document_schema(kind: Kind) -> Schema:
    """The part of :func:`connectors_schema` that validates documents of one kind."""
    schema = connectors_schema()
    return {"$schema": _DIALECT, "$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]}


def published() -> dict[str, Schema]:
    """The files of ``schemas/`` that this module makes, by name."""
    return {
        "connectors.schema.json": editor_schema(),
        "settings.schema.json": settings_schema(),
    }


@cache
def editor_schema() -> Schema:
    """The schema of documents as people write them: with variables, which are replaced before anything else."""
    schema = connectors_schema()
    definitions = {name: _with_variables(item) for name, item in schema["$defs"].items()}
    return {**schema, "$defs": definitions}


_ONE_VARIABLE: Final = r"\$\{var\.[a-z][a-z0-9_]*\}"


def _with_variables(schema: Any) -> Any:
    """Let a variable stand for a number, a boolean or a word, and within a text whatever its shape."""
    if isinstance(schema, list):
        return [_with_variables(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _with_variables(value) for key, value in schema.items()}
    if found.get("type") in ("integer", "boolean"):
        return found | {"type": [found["type"], "string"], "pattern": f"^{_ONE_VARIABLE}$"}
    if isinstance(found.get("enum"), list):
        words = found.pop("enum")  # editors propose examples, too
        pattern = f"^(?:{'|'.join(map(re.escape, words))}|{_ONE_VARIABLE})$"
        return found | {"type": "string", "pattern": pattern, "examples": words}
    if isinstance(found.get("pattern"), str):
        return found | {"pattern": f"{found['pattern']}|{_ONE_VARIABLE}"}
    return found


@cache
def settings_schema() -> Schema:
    """The schema of ``reconciler.yaml``."""
    schema = TypeAdapter(Settings).json_schema(schema_generator=_Generator)
    return {
        "$schema": _DIALECT,
        "$id": "https://reconciler.example/schemas/settings.schema.json",
        "title": "Settings of reconciler",
        **_finish(schema),
    }


def _ecma_pattern(
    validator: object, pattern: str, instance: object, schema: object
) -> Iterator[ValidationError]:
    """The keyword ``pattern`` as ECMA-262 has it: ``$`` is the end, not a newline before it."""
    del validator, schema
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("does not match")


Validator: Final[type[Draft202012Validator]] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _ecma_pattern}
)
"""Validates as the published schemas intend. Its messages quote values: never show them."""


class _Generator(GenerateJsonSchema):
    """Leaves out what says nothing: null, which no field takes, and titles made from names."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        if generated.get("default", ...) is None:
            del generated["default"]
        return generated

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def _finish(schema: Any, *, names: bool = False) -> Any:
    """Drop the titles, which are names of classes, and complete the fields of references.

    ``names`` says that the keys are names of fields or definitions, not keywords.
    """
    if isinstance(schema, list):
        return [_finish(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if names:
        return {name: _finish(item) for name, item in schema.items()}
    finished = {
        key: _finish(value, names=key in {"properties", "$defs"})
        for key, value in schema.items()
        if key != "title"
    }
    if isinstance(text := finished.get("description"), str):
        # Of a docstring: its lines are wrapped, and its marks are for Sphinx.
        finished["description"] = " ".join(text.replace("``", "`").split())
    return finished | _REFERENCE_EXTRAS if schema.get("pattern") == REFERENCE_PATTERN else finished
