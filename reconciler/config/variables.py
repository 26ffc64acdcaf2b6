"""Variables: ``${var.NAME}`` in the texts of documents, replaced before anything else.

Nothing else is interpolated. Positions stay those of the source, so that findings point to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from reconciler.config.suggest import did_you_mean, one_of
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.config.raw import RawDocument
    from reconciler.config.settings import Settings
    from reconciler.diagnostics import Diagnostic, Route
    from reconciler.model.resource import JSON

VARIABLE_PREFIX: Final = "var."
"""The prefix of variables, which distinguishes them from parameters."""

VARIABLE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SIGN: Final = re.compile(r"\$(?:\{var\.(?P<name>[a-z][a-z0-9_]{0,62})\})?")
_PARAMETER: Final = re.compile(r"\$\{([a-z][a-z0-9_]{0,62})\}")
RUNS_A_PROGRAM: Final = "command:"
"""A shell has variables of its own; ours are not put into its commands."""


class Variables(Struct, frozen=True):
    """The declared variables, and the values of those that have one."""

    declared: frozenset[str] = frozenset()
    values: Mapping[str, Any] = field(default_factory=dict)
    environment: str = ""

    @classmethod
    def of(cls, settings: Settings, environment: str) -> Variables:
        """The values in an environment: its own, else the defaults."""
        values = {
            name: item.default
            for name, item in settings.variables.items()
            if item.default is not None
        }
        own = settings.environments.get(environment)
        if own is not None:
            values |= own.variables
        return cls(frozenset(settings.variables), values, environment)


def substitute(
    raw: RawDocument, variables: Variables
) -> tuple[RawDocument, tuple[Diagnostic, ...]]:
    """Replace the variables in every text of a document except its keys and its kind.

    A text that is exactly one variable becomes its value, which may be a number or a boolean. A
    document with a problem is no longer ``whole``, as its values are not known.
    """
    found = _Substitution(raw, variables)
    value = found.of(raw.value, ())
    if found.problems:
        return replace(raw, whole=False), tuple(found.problems)
    return (replace(raw, value=value, written=raw.value) if found.replaced else raw), ()


def substitute_below(
    raw: RawDocument, variables: Variables, fields: tuple[str, ...]
) -> tuple[RawDocument, tuple[Diagnostic, ...]]:
    """Replace the variables in some fields of a document alone."""
    if not isinstance(raw.value, dict):
        return raw, ()
    found = _Substitution(raw, variables)
    value = {
        name: found.of(item, (name,)) if name in fields else item
        for name, item in raw.value.items()
    }
    if found.problems:
        return replace(raw, whole=False), tuple(found.problems)
    return (replace(raw, value=value) if found.replaced else raw), ()


class _Substitution:
    def __init__(self, raw: RawDocument, variables: Variables) -> None:
        self._raw = raw
        self._variables = variables
        self.problems: list[Diagnostic] = []
        self.replaced = False

    def of(self, value: JSON, route: Route) -> JSON:
        match value:
            case dict():
                return {key: self.of(item, (*route, key)) for key, item in value.items()}
            case list():
                return [self.of(item, (*route, index)) for index, item in enumerate(value)]
            case str() if "${" in value and not value.startswith(RUNS_A_PROGRAM):
                return self._text(value, route)
            case _:
                return value

    def _text(self, text: str, route: Route) -> JSON:
        if route == ("kind",):
            return text
        signs = list(_SIGN.finditer(text))
        names = [sign["name"] for sign in signs]
        if None in names:
            self._report(
                "variable/syntax",
                route,
                "`$` in this text must begin a variable, such as ${var.domain}.",
                self._parameter_hint(text)
                or "Variables of the environment or of a shell are not read here.",
            )
            return text
        unknown = [name for name in dict.fromkeys(names) if not self._is_known(name, route)]
        if unknown:
            return text
        self.replaced = True
        values = self._variables.values
        if signs[0].span() == (0, len(text)):
            return plain_value(values[names[0]])
        return _SIGN.sub(lambda sign: as_text(values[sign["name"]]), text)

    def _parameter_hint(self, text: str) -> str:
        """How to handle a template's parameter in a field outside the template."""
        fields = self._raw.value if isinstance(self._raw.value, dict) else {}
        template, rows = fields.get("template"), fields.get("connectors")
        given = [fields.get("parameters"), *(rows.values() if isinstance(rows, dict) else ())]
        known = {"name", *(name for item in given if isinstance(item, dict) for name in item)}
        used = [sign[1] for sign in _PARAMETER.finditer(text) if sign[1] in known]
        if (
            not used
            or not isinstance(template, str)
            or not VARIABLE_NAME.fullmatch(template.replace("-", "_"))
        ):
            return ""
        return (
            f"${{{used[0]}}} is a parameter, which has its value in the texts of a template only: write this field "
            f"in the template {template}."
        )

    def _is_known(self, name: str, route: Route) -> bool:
        found = variable_problem(self._raw, name, route, self._variables)
        if found is not None:
            self.problems.append(found)
        return found is None

    def _report(self, rule: str, route: Route, message: str, hint: str) -> None:
        self.problems.append(self._raw.diagnostic(rule, route, message, hint))


def variable_problem(
    raw: RawDocument, name: str, route: Route, variables: Variables
) -> Diagnostic | None:
    """The problem with a use of a variable at a route, if any."""
    if name in variables.values and name in variables.declared:
        return None
    if name in variables.declared:
        where = f" in the environment {variables.environment}" if variables.environment else ""
        hint = "Give it a default, or a value in the environment, in reconciler.yaml."
        message = f"The variable {name} has no value{where}."
        return raw.diagnostic("variable/unset", route, message, hint)
    known = sorted(variables.declared)
    hint = did_you_mean(name, known) or (
        f"Variables are {one_of(known)}."
        if known
        else "Declare it under `variables` in reconciler.yaml."
    )
    return raw.diagnostic("variable/unknown", route, f"There is no variable {name}.", hint)


def plain_value(value: Any) -> JSON:
    """The value of a text that is exactly one variable."""
    return value if isinstance(value, bool | int | str) else str(value)


def as_text(value: Any) -> str:
    """A value within a text, as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
