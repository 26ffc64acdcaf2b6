"""Explains in our own words why a model rejects a document.

Neither pydantic's nor jsonschema's messages may be shown: they repeat the value, which may be a
password in place of a reference. So only the failed keyword is taken from them, and explained
here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from reconciler.config.positions import dotted
from reconciler.config.raw import showable
from reconciler.config.schema import Validator
from reconciler.config.shapes import SHAPES
from reconciler.config.suggest import did_you_mean, one_of
from reconciler.config.template_documents import KINDS
from reconciler.model.secret_ref import REFERENCE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema import ValidationError

    from reconciler.config.raw import RawDocument
    from reconciler.config.schema import Schema
    from reconciler.diagnostics import Diagnostic, Route

_REFERENCE_HINT: Final = "Write where the secret is, such as env:NAME or file:/path."

_TYPES: Final = {
    "object": "a mapping of fields",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def explain(raw: RawDocument, schema: Schema) -> tuple[Diagnostic, ...]:
    """Explain every problem of a document by the schema of its kind.

    The model rejected it, so it is reported if the schema finds nothing.
    """
    unique = objections(raw, schema)
    return unique or (_at(raw, "schema/invalid", (), "The document is not valid."),)


def objections(raw: RawDocument, schema: Schema) -> tuple[Diagnostic, ...]:
    """Explain every problem that a schema finds in a document, if it finds any."""
    told = (
        diagnostic
        for error in Validator(schema).iter_errors(raw.value)
        for diagnostic in _told(raw, schema, error)
    )
    return tuple(dict.fromkeys(told))  # a mapping that lacks two fields has two errors


def explain_kind(raw: RawDocument) -> Diagnostic:
    """Explain the problem of a document without a known kind."""
    kinds = KINDS
    if not isinstance(raw.value, dict):
        message = f"A document must be {_TYPES['object']}, but this is {_name_of(raw.value)}."
        return _at(raw, "schema/type", (), message, f"Kinds of documents are {one_of(kinds)}.")
    kind = raw.value.get("kind")
    if kind is None:
        message = "`kind` is missing."
        hint = f"Kinds of documents are {one_of(kinds)}."
        return _at(raw, "schema/missing-kind", ("kind",), message, hint)
    hint = did_you_mean(kind, kinds) if isinstance(kind, str) else ""
    message = "Unknown kind of document."
    hint = hint or f"Kinds of documents are {one_of(kinds)}."
    return _at(raw, "schema/unknown-kind", ("kind",), message, hint)


def _told(raw: RawDocument, root: Schema, error: ValidationError) -> Iterator[Diagnostic]:
    route: Route = tuple(error.absolute_path)
    schema: Schema = error.schema if isinstance(error.schema, dict) else {}
    keyword, value = str(error.validator), cast("Any", error.instance)
    if keyword == "required":
        inside = f" in {dotted(route)}" if route else ""
        for name in schema["required"]:
            if name not in value:
                message = f"`{name}` is missing{inside}."
                yield _at(raw, "schema/required", (*route, name), message)
    elif keyword == "additionalProperties":
        for key, item in value.items():
            if key not in schema["properties"]:
                yield _unknown_field(raw, root, (*route, key), item, schema["properties"])
    elif schema.get("pattern") == REFERENCE_PATTERN:
        if value is None:
            yield _at(raw, "schema/null", route, f"{dotted(route)} has no value.", _REFERENCE_HINT)
        else:
            message = f"{dotted(route)} must be a secret reference, such as env:NAME."
            yield _at(raw, "secret/plain-text", route, message, _REFERENCE_HINT)
    else:
        yield _wrong_value(raw, route, value, keyword, schema)


_ESCAPES: Final = {
    "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r",
    "\x1b": "\\e", "\x85": "\\N", "\xa0": "\\_", "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip
"""What YAML 1.2.2 section 5.7 makes of a backslash and a letter between double quotes."""


def _escape_hint(value: object) -> str:
    r"""Name the escape that a name with a backslash holds, as in "CONTOSO\nadia"."""
    text = value if isinstance(value, str) else ""
    made = next((escape for char, escape in _ESCAPES.items() if char in text), None)
    if made is None:
        return ""
    return f"Between double quotes {made} is an escape. Use single quotes, as in 'DOMAIN\\name'."


def _wrong_value(
    raw: RawDocument, route: Route, value: object, keyword: str, schema: Schema
) -> Diagnostic:
    name = dotted(route)
    match keyword:
        case "type" if value is None:
            hint = "Leave the field out, or give it a value."
            return _at(raw, "schema/null", route, f"{name} has no value.", hint)
        case "type":
            expected = _expected(schema["type"])
            message = f"{name} must be {expected}, but this is {_name_of(value)}."
            return _at(raw, "schema/type", route, message, _type_hint(schema, value))
        case "pattern":
            shape = SHAPES.get(str(schema["pattern"]), "of another form")
            hint = _escape_hint(value)
            return _at(raw, "schema/pattern", route, f"{name} must be {shape}.", hint)
        case "enum":
            known = [str(item) for item in schema["enum"]]
            hint = did_you_mean(value, known) if isinstance(value, str) else ""
            return _at(raw, "schema/enum", route, f"{name} must be {one_of(known)}.", hint)
        case "minimum" | "maximum":
            message = f"{name} must be between {schema['minimum']} and {schema['maximum']}."
            return _at(raw, "schema/range", route, message)
        case _:
            return _at(raw, "schema/invalid", route, f"{name} is not valid.")


def _expected(types: str | list[str]) -> str:
    *rest, last = [_TYPES[item] for item in ([types] if isinstance(types, str) else types)]
    return f"{', '.join(rest)}, or {last}" if rest else last


def _unknown_field(
    raw: RawDocument, root: Schema, route: Route, value: Any, known: Schema
) -> Diagnostic:
    key = str(route[-1])
    name = f"`{key}`" if showable(key, value) else "This"
    where = f"field of {dotted(route[:-1])}" if len(route) > 1 else "field here"
    homes = [field for field, part in known.items() if key in _fields_of(part, root)]
    if homes:
        hint = f"It belongs in {one_of(homes)}."
    elif len(route) > 1 and key in (root.get("properties") or _fields_of(root, root)):
        hint = f"It belongs beside {dotted(route[:1])}."
    else:
        hint = did_you_mean(key, known) or f"Fields are {one_of(known)}."
    message = f"{name} is not a known {where}."
    return raw.diagnostic("schema/unknown-field", route, message, hint, key=True)


def _fields_of(part: Schema, root: Schema) -> Schema:
    name = str(part.get("$ref", "")).rpartition("/")[2]
    properties: Schema = root["$defs"].get(name, {}).get("properties", {})
    return properties


def _name_of(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return _TYPES["object"]


def _type_hint(schema: Schema, value: object) -> str:
    match schema.get("type"):
        case "string" if isinstance(value, bool | int | float):
            return "Put it in quotes."
        case "array" if not isinstance(value, dict):
            return "Write [in brackets, with commas], or each item after a dash."
        case "boolean" if isinstance(value, str) and value.casefold() in _WORDS_OF_YAML_1_1:
            return "Since YAML 1.2, yes, no, on and off are ordinary strings."
        case "integer" if isinstance(value, str) and value.isdecimal():
            return "Write it without quotes."
        case _:
            return ""


_WORDS_OF_YAML_1_1: Final = frozenset({"yes", "no", "on", "off", "y", "n"})


def _at(raw: RawDocument, rule: str, route: Route, message: str, hint: str = "") -> Diagnostic:
    return raw.diagnostic(rule, route, message, hint)
