"""The schemas of documents as written, with templates, tables and placeholders.

:mod:`reconciler.config.schema` has those of the expanded documents.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from reconciler.config.expansion import PERMISSIONS, TABLE, TEMPLATE
from reconciler.config.schema import (
    DIALECT,
    VALUES,
    Schema,
    SchemaGenerator,
    connectors_schema,
    finished_definitions,
    settings_schema,
)
from reconciler.config.template_documents import (
    HEAD_FIELDS,
    KINDS,
    TableHead,
    TemplateHead,
    TemplateUseHead,
)
from reconciler.model.address import Kind

_OWN: Final = ("name", "renamed_from")
"""Settings that only a connector itself can have."""


@cache
def written_schema() -> Schema:
    """The schema of any document of ``connectors.d/``, before templates are filled in."""
    schema = copy.deepcopy(connectors_schema())
    definitions = schema["$defs"]
    # A connector's missing fields may come from its template; the model checks both together.
    definitions["OAuth2"].pop("required", None)
    _, heads = TypeAdapter.json_schemas(
        [
            (item, "validation", TypeAdapter(item))
            for item in (TemplateHead, TemplateUseHead, TableHead)
        ],
        schema_generator=SchemaGenerator,
    )
    heads = finished_definitions(heads["$defs"])
    use = heads.pop("TemplateUseHead")["properties"]
    template, table = heads.pop("TemplateHead"), heads.pop("TableHead")
    rights = definitions[str(Kind.PERMISSIONS)]
    definitions.update(heads)
    definitions["ConnectorPermissions"] = {
        **rights,
        "description": "The rights on the connector.",
        "properties": {
            name: item
            for name, item in rights["properties"].items()
            if name not in ("kind", "connector")
        },
    }
    definitions["ConnectorPermissions"].pop("required", None)
    connector = definitions[str(Kind.EMAIL_CONNECTOR)]
    fields = connector["properties"]
    fields[PERMISSIONS] = {
        "$ref": "#/$defs/ConnectorPermissions",
        "title": "Permissions",
        "description": "Who may administer the connector, and who may send through it.",
        "examples": [{"users": {"groups": ["support"]}}],
    }
    shared = {name: item for name, item in fields.items() if name not in ("kind", *_OWN)}
    fields.update(use)
    kinds = schema["properties"]["kind"]
    for kind, head in ((TEMPLATE, template), (TABLE, table)):
        meaning = head.pop("description")
        head["title"] = kind
        head["properties"]["kind"] = {"const": kind, "title": "Kind", "description": meaning}
        kinds["enumDescriptions"].append(meaning)
        head["properties"] = {**head["properties"], **shared}
        head["additionalProperties"] = False
        definitions[kind] = head
    kinds["enum"] = list(KINDS)
    schema["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": f"#/$defs/{kind}"},
        }
        for kind in KINDS
    ]
    return schema


def explained_definitions() -> Schema:
    """The definitions of all kinds; templates share the fields of connectors."""
    written = written_schema()["$defs"]
    connector = str(Kind.EMAIL_CONNECTOR)
    found = {**written, **connectors_schema()["$defs"], connector: written[connector]}
    for kind, head in ((TEMPLATE, TemplateHead), (TABLE, TableHead)):
        fields = written[kind]["properties"]
        own = {name: item for name, item in fields.items() if name in HEAD_FIELDS[head]}
        found[kind] = {**written[kind], "properties": own}
    return found


def template_schema() -> Schema:
    """The schema of a template."""
    return _of(TEMPLATE)


def head_schema(kind: str, fields: frozenset[str]) -> Schema:
    """The schema of some fields of a document; the others may be anything."""
    definition = written_schema()["$defs"][kind]
    part = {
        "type": "object",
        "properties": {name: definition["properties"][name] for name in sorted(fields)},
        "required": [name for name in definition["required"] if name in fields],
    }
    return {"$schema": DIALECT, **part, "$defs": written_schema()["$defs"]}


@cache
def connector_schema() -> Schema:
    """The schema that explains problems of an expanded connector.

    It includes the fields that expansion removes, so that misspelt ones are recognised.
    """
    found = copy.deepcopy(connectors_schema())
    written = written_schema()["$defs"]
    connector = found["$defs"][str(Kind.EMAIL_CONNECTOR)]
    connector["properties"] = written[str(Kind.EMAIL_CONNECTOR)]["properties"]
    definitions = {**written, **found["$defs"]}
    return {"$schema": DIALECT, "$ref": f"#/$defs/{Kind.EMAIL_CONNECTOR}", "$defs": definitions}


@cache
def editor_schema() -> Schema:
    """The schema for editors: parameters and variables may stand for any value."""
    schema = written_schema()
    definitions = {name: _with_signs(item) for name, item in schema["$defs"].items()}
    return {**schema, "$defs": definitions}


def published() -> dict[str, Schema]:
    """The files of ``schemas/`` that this module and :mod:`reconciler.config.schema` make, by name."""
    return {
        "connectors.schema.json": editor_schema(),
        "settings.schema.json": settings_schema(),
    }


_WITHOUT_TEXT: Final = {"integer": "a whole number", "boolean": "true or false"}
_ONE_SIGN: Final = r"\$\{(var\.)?[a-z][a-z0-9_]*\}"


def _with_signs(schema: Any) -> Any:
    """Accept a placeholder for a number, a boolean or a word, and in texts of any format."""
    if isinstance(schema, list):
        return [_with_signs(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: value if key in VALUES else _with_signs(value) for key, value in schema.items()}
    if found.get("type") in ("integer", "boolean"):
        return found | {
            "type": [found["type"], "string"],
            "pattern": f"^{_ONE_SIGN}$",
            "patternErrorMessage": f"Expected {_WITHOUT_TEXT[found['type']]}, or ${{var.NAME}}.",
        }
    if isinstance(found.get("enum"), list):
        values = {key: found.pop(key) for key in ("enum", "enumDescriptions") if key in found}
        return found | {
            "type": "string",
            "if": {"pattern": f"^{_ONE_SIGN}$"},
            "else": values,
            "examples": values["enum"],  # editors suggest these
        }
    if isinstance(found.get("pattern"), str):
        return found | {"pattern": f"{found['pattern']}|{_ONE_SIGN}"}
    return found


def _of(kind: str) -> Schema:
    return {"$schema": DIALECT, "$ref": f"#/$defs/{kind}", "$defs": written_schema()["$defs"]}
