"""Checks the names and values of variables and environments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, assert_never

from reconciler.config.positions import dotted
from reconciler.config.rules import problem
from reconciler.config.settings import VariableType
from reconciler.config.suggest import did_you_mean
from reconciler.config.variables import VARIABLE_NAME
from reconciler.model.fields import ADDRESS_PATTERN, HOST_PATTERN, TEXT_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.raw import RawDocument
    from reconciler.config.settings import Settings, Variable
    from reconciler.diagnostics import Diagnostic, Route

EXPECTED: Final = {
    VariableType.TEXT: "one line of text",
    VariableType.HOST: "a host name or an IP address",
    VariableType.ADDRESS: "an email address, such as support@example.com",
    VariableType.INTEGER: "a whole number",
    VariableType.BOOLEAN: "true or false",
}
_PATTERNS: Final = {
    VariableType.TEXT: TEXT_PATTERN,
    VariableType.HOST: HOST_PATTERN,
    VariableType.ADDRESS: ADDRESS_PATTERN,
}
_ENVIRONMENT_NAME: Final = re.compile("[a-z][a-z0-9-]{0,62}")


def variable_problems(raw: RawDocument, settings: Settings) -> Iterator[Diagnostic]:
    """Check names, and values by the type of their variable."""
    yield from _names(raw, settings)
    declared = settings.variables
    for name, item in declared.items():
        if item.default is not None:
            yield from _value(raw, item, item.default, ("variables", name, "default"))
    for environment, found in settings.environments.items():
        for name, value in found.variables.items():
            route: Route = ("environments", environment, "variables", name)
            if name in declared:
                yield from _value(raw, declared[name], value, route)
            else:
                hint = did_you_mean(name, declared) or "Declare it under `variables`."
                yield _at_key(raw, "variable/unknown", route, "Unknown variable.", hint)


def _names(raw: RawDocument, settings: Settings) -> Iterator[Diagnostic]:
    for field, names, shape, marks in (
        ("variables", settings.variables, VARIABLE_NAME, "underscores"),
        ("environments", settings.environments, _ENVIRONMENT_NAME, "hyphens"),
    ):
        for name in names:
            if not shape.fullmatch(name):
                message = f"A name here must be lower-case letters, digits and {marks}, beginning with a letter."
                yield _at_key(raw, "settings/name", (field, name), message, "")


def _value(
    raw: RawDocument, variable: Variable, value: object, route: Route
) -> Iterator[Diagnostic]:
    if not fits(variable.type, value):
        at = raw.positions.of(route)
        yield problem(
            "variable/type",
            f"{dotted(route)} must be {EXPECTED[variable.type]}.",
            hint=f"The type of the variable is {variable.type}.",
            file=raw.file,
            line=at.line,
            column=at.column,
        )


def fits(expected: VariableType, value: object) -> bool:
    """Whether a value is of the type that a variable or parameter has."""
    match expected:
        case VariableType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case VariableType.BOOLEAN:
            return isinstance(value, bool)
        case VariableType.TEXT | VariableType.HOST | VariableType.ADDRESS:
            pattern = _PATTERNS[expected].removeprefix("^").removesuffix("$")
            return isinstance(value, str) and re.fullmatch(pattern, value) is not None
        case _:
            assert_never(expected)


def _at_key(raw: RawDocument, rule: str, route: Route, message: str, hint: str) -> Diagnostic:
    at = raw.positions.of_key(route)
    return problem(rule, message, hint=hint, file=raw.file, line=at.line, column=at.column)
