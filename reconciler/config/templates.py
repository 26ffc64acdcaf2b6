"""Templates: checked once, then filled in for each connector.

The texts of a template may hold ``${name}`` for a parameter, beside ``${var.name}`` for a
variable. Each is replaced once; replacements are not searched again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from reconciler.config.documents import TYPES
from reconciler.config.expansion import PERMISSIONS
from reconciler.config.positions import Layer
from reconciler.config.suggest import did_you_mean, one_of
from reconciler.config.template_documents import HEAD_FIELDS, NAME_PARAMETER, TemplateHead
from reconciler.config.variable_checks import EXPECTED, fits
from reconciler.config.variables import (
    RUNS_A_PROGRAM,
    VARIABLE_NAME,
    VARIABLE_PREFIX,
    Variables,
    as_text,
    plain_value,
    substitute_below,
    variable_problem,
)
from reconciler.model.address import Kind
from reconciler.model.validators import Invalid, validated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.config.raw import RawDocument
    from reconciler.config.settings import Variable
    from reconciler.diagnostics import Diagnostic, Route
    from reconciler.model.resource import JSON

_NAME: Final = r"[a-z][a-z0-9_]{0,62}"
_SIGN: Final = re.compile(rf"\$(?:\{{(?P<name>(?:var\.)?{_NAME})\}})?")


class Template(Struct, frozen=True):
    """A template that can be filled in.

    ``fields`` are those of a connector, ``permissions`` among them, with placeholders.
    ``values`` are those of variables and the defaults of parameters, by placeholder name.
    ``weight`` and ``characters`` measure a copy of the fields; ``signs`` are the names of their
    placeholders, with repetitions.
    """

    name: str
    raw: RawDocument
    parameters: Mapping[str, Variable]
    fields: dict[str, JSON]
    values: Mapping[str, Any]
    weight: int
    characters: int
    signs: tuple[str, ...]

    @property
    def layer(self) -> Layer:
        """Where its fields are written."""
        raw = self.raw
        return Layer(raw.file, raw.positions, shared=True, written=raw.value, template=self.name)

    def fill(self, arguments: Mapping[str, Any]) -> dict[str, JSON]:
        """Fill in the values of parameters; every parameter must have one."""
        values = {**self.values, **arguments}
        return {name: filled(value, values) for name, value in self.fields.items()}


def filled(value: JSON, values: Mapping[str, Any]) -> JSON:
    """Replace the placeholders in every text. Values without any are not copied."""
    if isinstance(value, dict):
        fields = {key: filled(item, values) for key, item in value.items()}
        return fields if any(fields[key] is not item for key, item in value.items()) else value
    if isinstance(value, list):
        items = [filled(item, values) for item in value]
        return (
            items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        )
    if not isinstance(value, str) or not is_interpolated(value):
        return value
    sign = _SIGN.fullmatch(value)
    if sign is not None:
        return plain_value(values[sign["name"]])
    return _SIGN.sub(lambda found: as_text(values[found["name"]]), value)


def is_interpolated(text: str) -> bool:
    """Whether placeholders are replaced in a text."""
    return "${" in text and not text.startswith(RUNS_A_PROGRAM)


def signs_in(value: JSON) -> tuple[str, ...]:
    """The distinct placeholder names in a value: parameters, and variables after ``var.``."""
    texts = (text for _, text in interpolated(value, ()))
    names = (sign["name"] for text in texts for sign in _SIGN.finditer(text))
    return tuple(dict.fromkeys(name for name in names if name))


def read_template(
    raw: RawDocument, variables: Variables
) -> tuple[Template | None, tuple[Diagnostic, ...]]:
    """Check a document of kind Template; None if it has an error."""
    if not raw.whole or not isinstance(raw.value, dict):
        return None, ()
    if "template" in raw.value:
        message = "A template cannot be made from another template."
        hint = "Write the fields out, or give what they share to a provider or a merge key."
        return None, (raw.diagnostic("template/nested", ("template",), message, hint, key=True),)
    written, problems = substitute_below(raw, variables, ("parameters", "description"))
    if problems:
        return None, problems
    try:
        head = _read_head(written)
        _read_fields(raw)
    except Invalid:  # its messages repeat values, which may be secret
        refused = tuple(_explained(written))
        if refused:
            return None, refused
        head = _read_head(written)
    checks = _TemplateChecks(written, head, variables)
    problems = (*checks.declarations(), *checks.texts())
    if any(item.is_error for item in problems):
        return None, problems
    return checks.template(), problems


def _read_head(raw: RawDocument) -> TemplateHead:
    fields = raw.value if isinstance(raw.value, dict) else {}
    head = {name: fields[name] for name in HEAD_FIELDS[TemplateHead] if name in fields}
    return validated(TemplateHead, head)


_LEFT_OUT: Final = object()


def _read_fields(raw: RawDocument) -> None:
    """Validate the fields without placeholders; the others are validated in each connector."""
    plain = _without_signs(template_fields(raw))
    fields = plain if isinstance(plain, dict) else {}
    permissions = fields.pop(PERMISSIONS, {})
    if not isinstance(permissions, dict) or not _OF_ONE.isdisjoint(fields):
        raise Invalid((PERMISSIONS,), "not the permissions of one connector")
    connector = {**fields, "kind": Kind.EMAIL_CONNECTOR.value, "name": "template"}
    validated(TYPES[Kind.EMAIL_CONNECTOR], connector)
    rights = {**permissions, "connector": "template"}
    if "kind" in permissions or "connector" in permissions:
        raise Invalid((PERMISSIONS,), "not the permissions of one connector")
    validated(TYPES[Kind.PERMISSIONS], rights)


_OF_ONE: Final = frozenset({"renamed_from"})
"""Fields that only a connector itself can have, besides its name."""


def template_fields(raw: RawDocument) -> dict[str, JSON]:
    """The fields of a template that are those of a connector."""
    value = raw.value if isinstance(raw.value, dict) else {}
    return {key: item for key, item in value.items() if key not in HEAD_FIELDS[TemplateHead]}


def _without_signs(value: JSON) -> Any:
    if isinstance(value, str):
        return _LEFT_OUT if is_interpolated(value) else value
    if isinstance(value, dict):
        items = ((key, _without_signs(item)) for key, item in value.items())
        return {key: item for key, item in items if item is not _LEFT_OUT}
    if isinstance(value, list):
        return [item for item in map(_without_signs, value) if item is not _LEFT_OUT]
    return value


def _explained(raw: RawDocument) -> Iterator[Diagnostic]:
    """Explain the problems of a template, except in texts that are not yet known."""
    from reconciler.config.explain import objections  # noqa: PLC0415 - most templates are valid
    from reconciler.config.written_schema import template_schema  # noqa: PLC0415 - as above

    unknown = {
        (at.line, at.column)
        for route, _ in interpolated(template_fields(raw), ())
        for at in (raw.positions.of(route),)
    }
    for item in objections(raw, template_schema()):
        if (item.line, item.column) not in unknown:
            yield item


def interpolated(value: JSON, route: Route) -> Iterator[tuple[Route, str]]:
    """Every text in which placeholders are replaced."""
    if isinstance(value, str):
        if is_interpolated(value):
            yield route, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from interpolated(item, (*route, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from interpolated(item, (*route, index))


class _TemplateChecks:
    """The checks of a template whose fields have the right shapes."""

    def __init__(self, raw: RawDocument, head: TemplateHead, variables: Variables) -> None:
        self._raw = raw
        self._head = head
        self._variables = variables
        self._fields = template_fields(raw)
        self._signs: list[str] = []

    def declarations(self) -> Iterator[Diagnostic]:
        """Check the names of parameters and their defaults."""
        for name, item in self._head.parameters.items():
            route: Route = ("parameters", name)
            if name == NAME_PARAMETER:
                message = "Every template has the parameter `name`, the name of the connector."
                yield self._at(
                    "template/parameter-name", route, message, "Give it another name.", key=True
                )
            elif not VARIABLE_NAME.fullmatch(name):
                message = "A parameter's name must be lower-case letters, digits and underscores, beginning with a letter."
                yield self._at("template/parameter-name", route, message, key=True)
            if item.default is not None and not fits(item.type, item.default):
                message = f"The default must be {EXPECTED[item.type]}."
                hint = f"The type of the parameter is {item.type}."
                yield self._at("template/parameter-type", (*route, "default"), message, hint)

    def texts(self) -> Iterator[Diagnostic]:
        """Check the placeholders in every text, and report unused parameters."""
        clean = True
        for route, text in interpolated(self._fields, ()):
            names = [sign["name"] for sign in _SIGN.finditer(text)]
            if None in names:
                message = "`$` in this text must begin a parameter or a variable, such as ${city}."
                hint = "Variables of the environment or of a shell are not read here."
                yield self._at("variable/syntax", route, message, hint)
                clean = False
                continue
            self._signs += names
            for name in dict.fromkeys(names):
                found = self._sign(name, route)
                if found is not None:
                    yield found
                    clean = False
        if not clean:
            return  # a parameter may be a typo for another name
        for name in self._head.parameters:
            if name not in {*self._signs, NAME_PARAMETER} and VARIABLE_NAME.fullmatch(name):
                message = f"The parameter {name} stands in no text of the template."
                hint = f"Write ${{{name}}} where its value belongs, or delete it."
                yield self._at("template/unused-parameter", ("parameters", name), message, hint)

    def _sign(self, name: str, route: Route) -> Diagnostic | None:
        if name.startswith(VARIABLE_PREFIX):
            variable = name.removeprefix(VARIABLE_PREFIX)
            return variable_problem(self._raw, variable, route, self._variables)
        if name == NAME_PARAMETER or name in self._head.parameters:
            return None
        known = (*self._head.parameters, NAME_PARAMETER)
        hint = did_you_mean(name, known) or f"Parameters are {one_of(known)}."
        message = f"The template declares no parameter {name}."
        return self._at("template/unknown-parameter", route, message, hint)

    def template(self) -> Template:
        """The template; it must have no error."""
        defaults = {
            name: item.default
            for name, item in self._head.parameters.items()
            if item.default is not None
        }
        variables = {
            f"{VARIABLE_PREFIX}{name}": value for name, value in self._variables.values.items()
        }
        return Template(
            name=self._head.name,
            raw=self._raw,
            parameters=self._head.parameters,
            fields=self._fields,
            values={**variables, **defaults},
            weight=weight_of(self._fields),
            characters=characters_of(self._fields),
            signs=tuple(self._signs),
        )

    def _at(
        self, rule: str, route: Route, message: str, hint: str = "", *, key: bool = False
    ) -> Diagnostic:
        return self._raw.diagnostic(rule, route, message, hint, key=key)


def weight_of(value: JSON) -> int:
    """How many values a value holds, itself included."""
    if isinstance(value, dict):
        return 1 + sum(weight_of(item) for item in value.values())
    if isinstance(value, list):
        return 1 + sum(weight_of(item) for item in value)
    return 1


def characters_of(value: JSON) -> int:
    """How many characters the texts and the names of fields in a value hold."""
    if isinstance(value, dict):
        return sum(len(key) + characters_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(characters_of(item) for item in value)
    return len(value) if isinstance(value, str) else 1
