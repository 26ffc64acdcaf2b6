"""Variables: ``${var.NAME}`` in the texts of documents, replaced before anything looks at them.

Nothing else is interpolated. Positions stay those of the source, so that findings point to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.config.rules import problem
from reconciler.config.suggest import did_you_mean, one_of

if TYPE_CHECKING:
    from reconciler.config.raw import RawDocument
    from reconciler.config.settings import Settings
    from reconciler.diagnostics import Diagnostic, Route
    from reconciler.model.resource import JSON

VARIABLE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SIGN: Final = re.compile(r"\$(?:\{var\.(?P<name>[a-z][a-z0-9_]{0,62})\})?")
_RUNS_A_PROGRAM: Final = "command:"
"""A shell has variables of its own; ours are not put into its commands."""


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables that are declared, and the values of those that have one."""

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


NO_VARIABLES: Final = Variables()


def substitute(
    raw: RawDocument, variables: Variables
) -> tuple[RawDocument, tuple[Diagnostic, ...]]:
    """Replace the variables in every text of a document but its keys and its kind.

    A text that is one variable and nothing else becomes its value, whole number and boolean included. A
    document with a problem is no longer ``whole``, as its values are not known.
    """
    found = _Substitution(raw, variables)
    value = found.of(raw.value, ())
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
            case str() if "${" in value and not value.startswith(_RUNS_A_PROGRAM):
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
                "Variables of the environment or of a shell are not read here.",
            )
            return text
        unknown = [name for name in dict.fromkeys(names) if not self._is_known(name, route)]
        if unknown:
            return text
        self.replaced = True
        values = self._variables.values
        if signs[0].span() == (0, len(text)):
            return _plain(values[names[0]])
        return _SIGN.sub(lambda sign: _shown(values[sign["name"]]), text)

    def _is_known(self, name: str, route: Route) -> bool:
        variables = self._variables
        if name in variables.values and name in variables.declared:
            return True
        if name in variables.declared:
            where = f" in the environment {variables.environment}" if variables.environment else ""
            hint = "Give it a default, or a value in the environment, in reconciler.yaml."
            self._report("variable/unset", route, f"The variable {name} has no value{where}.", hint)
        else:
            known = sorted(variables.declared)
            hint = did_you_mean(name, known) or (
                f"Variables are {one_of(known)}."
                if known
                else "Declare it under `variables` in reconciler.yaml."
            )
            self._report("variable/unknown", route, f"There is no variable {name}.", hint)
        return False

    def _report(self, rule: str, route: Route, message: str, hint: str) -> None:
        at = self._raw.positions.of(route)
        self.problems.append(
            problem(rule, message, hint=hint, file=self._raw.file, line=at.line, column=at.column)
        )


def _plain(value: Any) -> JSON:
    return value if isinstance(value, bool | int | str) else str(value)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
