"""Makes connectors from templates and tables, and replaces variables.

The documents that are made know where each of their values is written, so that findings point there. A
small file could expand into a huge configuration, so the expansion is limited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from msgspec import Struct

from reconciler.config.combine import combine
from reconciler.config.expansion import PERMISSIONS, TABLE, TEMPLATE, WRITTEN_ONLY
from reconciler.config.positions import Layer
from reconciler.config.raw import RawDocument
from reconciler.config.suggest import did_you_mean, one_of
from reconciler.config.template_documents import (
    HEAD_FIELDS,
    NAME_PARAMETER,
    TableHead,
    TemplateUseHead,
)
from reconciler.config.templates import Template, characters_of, read_template, weight_of
from reconciler.config.variable_checks import EXPECTED, fits
from reconciler.config.variables import Variables, as_text, substitute
from reconciler.diagnostics import Diagnostic, Route
from reconciler.model.address import Kind
from reconciler.model.fields import NAME_PATTERN
from reconciler.model.validators import Invalid, validated
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.resource import JSON

MOST_VALUES: Final = 1_000_000
"""The total number of values that connectors from templates may have."""

MOST_CHARACTERS: Final = 32 * 1024 * 1024
"""The total number of their characters."""


class _Use(Struct, frozen=True):
    """One connector to make: its name, its own fields, and its arguments for the template.

    ``layers`` are the documents that hold its own fields, ``rights_layers`` those that hold its permissions.
    ``places`` has the route of each parameter in ``raw``; missing ones are reported at ``route``.
    """

    raw: RawDocument
    name: str
    head: dict[str, JSON]
    fields: dict[str, JSON]
    arguments: Mapping[str, Any]
    places: Mapping[str, Route]
    route: Route
    layers: tuple[Layer, ...]
    rights_layers: tuple[Layer, ...]


@dataclass
class Expansion:
    """What is read and made so far, document by document: templates first."""

    variables: Variables
    readable: bool
    templates: dict[str, Template | None] = field(default_factory=dict)
    first: dict[str, RawDocument] = field(default_factory=dict)
    made: list[RawDocument] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)
    complete: bool = True
    values: int = 0
    characters: int = 0

    def takes_template(self, raw: RawDocument) -> bool:
        """Read a document if it is a template."""
        if raw.kind != TEMPLATE:
            return False
        template, problems = read_template(raw, self.variables)
        self.problems += problems
        value = cast("dict[str, JSON]", raw.value)
        name = value.get("name")
        if not isinstance(name, str):
            self.readable = False  # uses of it are not reported as unknown
        elif name in self.first:
            place = self.first[name].location(("name",))
            message = f"{TEMPLATE} `{name}` is declared twice; first at {place}."
            found = raw.diagnostic("name/duplicate", ("name",), message, "Rename or delete one.")
            self.problems.append(found)
        else:
            self.first[name] = raw
            self.templates[name] = template
        return True

    def take(self, raw: RawDocument, *, signs: bool) -> None:
        """Expand a document that is not a template."""
        if signs:
            raw, problems = substitute(raw, self.variables)
            self.problems += problems
        kind = raw.kind
        if kind == TABLE:
            self._table(raw)
        elif kind == Kind.EMAIL_CONNECTOR and WRITTEN_ONLY & set(
            cast("dict[str, JSON]", raw.value)
        ):
            self._connector(raw)
        else:
            self.made.append(raw)

    def _connector(self, raw: RawDocument) -> None:
        value = cast("dict[str, JSON]", raw.value)
        head = self._head(raw, TemplateUseHead, str(Kind.EMAIL_CONNECTOR)) if raw.whole else None
        if head is None:
            self._refuse(raw, value.get("name"))
            return
        fields = _without(value, HEAD_FIELDS[TemplateUseHead] | _HEAD)
        own = {name: value[name] for name in _HEAD if name in value}
        name = value.get("name")
        if head.template is None and head.parameters:
            message = "A connector without a template has no parameters."
            hint = "Name the template in `template`, or delete `parameters`."
            route: Route = ("parameters",)
            self._report(raw, "template/unknown-parameter", route, message, hint, key=True)
        template = self._template(raw, head.template) if head.template else None
        if (head.template is not None and template is None) or not isinstance(name, str):
            self._refuse(raw, name)
            return
        moved: dict[Route, Route] = {("connector",): ("name",), ("kind",): (PERMISSIONS,)}
        use = _Use(
            raw=raw,
            name=name,
            head=own,
            fields=fields,
            arguments=head.parameters,
            places={item: ("parameters", item) for item in head.parameters},
            route=("template",),
            layers=(own_layer := Layer(raw.file, raw.positions, written=raw.as_written),),
            rights_layers=(replace(own_layer, base=(PERMISSIONS,), moved=moved),),
        )
        self._make(use, template)

    def _table(self, raw: RawDocument) -> None:
        head = self._head(raw, TableHead, TABLE) if raw.whole else None
        if head is None:
            self.complete = False
            return
        value = cast("dict[str, JSON]", raw.value)
        if "name" in value:
            message = "name is not a known field of a document of kind EmailConnectors."
            hint = "Names of connectors are the keys of `connectors`."
            self._report(raw, "schema/unknown-field", ("name",), message, hint, key=True)
        for name in head.renamed_from.keys() - head.connectors.keys():
            message = f"The table has no connector {_shown(name)}."
            hint = (
                did_you_mean(name, tuple(head.connectors)) or "Write new names before the old ones."
            )
            self._report(
                raw, "connector/renamed-from", ("renamed_from", name), message, hint, key=True
            )
        template = self._template(raw, head.template)
        if template is None:
            self.complete = False
            return
        for item in sorted(head.parameters.keys() - template.parameters.keys()):
            self._unknown_parameter(raw, ("parameters", item), item, template)
        fields = _without(value, HEAD_FIELDS[TableHead] | {"name"})
        shared = {key: item for key, item in head.parameters.items() if key in template.parameters}
        for name, row in head.connectors.items():
            if not self._make(_row(raw, head, name, fields, {**shared, **row}), template):
                return

    def _make(self, use: _Use, template: Template | None) -> bool:
        """Make one connector; false if no more can be made."""
        if not _is_name(use.name):  # the model reports it
            self.made.append(replace(use.raw, value=use.head, layers=use.layers))
            return True
        filled: dict[str, JSON] = {}
        layers, rights_layers = use.layers, use.rights_layers
        if template is not None:
            if not self._affordable(use, template):
                return False
            if not self._arguments_fit(use, template):
                self._refuse(use.raw, use.name)
                return True
            filled = template.fill({**use.arguments, NAME_PARAMETER: use.name})
            layers += (template.layer,)
            rights_layers += (replace(template.layer, base=(PERMISSIONS,)),)
        fields = combine(use.fields, filled)
        rights = fields.pop(PERMISSIONS, None)
        base = replace(use.raw, layers=layers, user=use.name, arguments=use.places)
        self.made.append(replace(base, value={**use.head, **fields}))
        if rights is None:
            return True
        if isinstance(rights, dict) and not {"kind", "connector"} & set(rights):
            value = {"kind": str(Kind.PERMISSIONS), "connector": use.name, **rights}
            self.made.append(replace(base, value=value, layers=rights_layers))
            return True
        # The schema of written connectors explains the problem.
        self.made[-1] = replace(base, value={**use.head, **fields, PERMISSIONS: rights})
        return True

    def _affordable(self, use: _Use, template: Template) -> bool:
        given = {**template.values, **use.arguments, NAME_PARAMETER: use.name}
        self.values += template.weight + weight_of(use.fields)
        self.characters += template.characters + characters_of(use.fields)
        self.characters += sum(
            len(as_text(given[sign])) for sign in template.signs if sign in given
        )
        if self.values <= MOST_VALUES and self.characters <= MOST_CHARACTERS:
            return True
        if self.complete or self.readable:
            message = (
                f"The connectors made from templates have more than {MOST_VALUES:,} values"
                f" or {MOST_CHARACTERS // 1024 // 1024} Mi characters."
            )
            hint = "Split the configuration into projects, or make the template smaller."
            self._report(use.raw, "template/expansion", use.route, message, hint, key=True)
        self.complete = self.readable = False
        return False

    def _arguments_fit(self, use: _Use, template: Template) -> bool:
        """Report invalid or missing values of parameters."""
        fit = True
        for name, value in use.arguments.items():
            declared = template.parameters.get(name)
            route = use.places[name]
            if declared is None:
                self._unknown_parameter(use.raw, route, name, template)
                fit = False
            elif not fits(declared.type, value):
                message = f"The parameter {name} must be {EXPECTED[declared.type]}."
                hint = f"Its type is {declared.type}."
                self._report(use.raw, "template/parameter-type", route, message, hint)
                fit = False
        known = {**template.values, **use.arguments}
        missing = [name for name in template.parameters if name not in known]
        if missing:
            message = f"Connector {use.name} gives no value to {_and(missing)} of its template."
            hint = "Write it under `parameters`, or give the parameter a default in the template."
            self._report(use.raw, "template/unset-parameter", use.route, message, hint)
            fit = False
        return fit

    def _unknown_parameter(
        self, raw: RawDocument, route: Route, name: str, template: Template
    ) -> None:
        known = tuple(template.parameters)
        message = f"The template {template.name} has no parameter {_shown(name)}."
        if name == NAME_PARAMETER:
            message = "The parameter `name` is the name of the connector; it cannot be given."
            hint = "Delete it."
        elif known:
            hint = did_you_mean(name, known) or f"Parameters are {one_of(known)}."
        else:
            hint = f"Delete it, or declare it under `parameters` in {template.raw.file}."
        self._report(raw, "template/unknown-parameter", route, message, hint, key=True)

    def _template(self, raw: RawDocument, name: str) -> Template | None:
        if name not in self.first and self.readable:
            message = f"There is no template `{name}`."
            hint = did_you_mean(name, self.first) or f"Declare it in a document of kind {TEMPLATE}."
            self._report(raw, "name/unknown-template", ("template",), message, hint)
        return self.templates.get(name)

    def _head(self, raw: RawDocument, type_: type[H], kind: str) -> H | None:
        """Read the fields of a document that are not a connector's; report invalid ones."""
        value = cast("dict[str, JSON]", raw.value)
        head = {name: value[name] for name in HEAD_FIELDS[type_] if name in value}
        try:
            return validated(type_, head)
        except Invalid:  # its messages repeat values, which may be secret
            pass
        from reconciler.config.explain import objections  # noqa: PLC0415 - most are valid
        from reconciler.config.written_schema import head_schema  # noqa: PLC0415 - as above

        found = objections(raw, head_schema(kind, HEAD_FIELDS[type_]))
        if not found:
            self._report(raw, "schema/invalid", (), "The document is not valid.", "")
        self.problems += found
        return None

    def _refuse(self, raw: RawDocument, name: object) -> None:
        """Keep the name of a connector that is not made, to accept references to it."""
        if isinstance(name, str):
            value: JSON = {"kind": str(Kind.EMAIL_CONNECTOR), "name": name}
            self.made.append(replace(raw, value=value, whole=False))
        else:
            self.made.append(raw)

    def _report(
        self,
        raw: RawDocument,
        rule: str,
        route: Route,
        message: str,
        hint: str,
        *,
        key: bool = False,
    ) -> None:
        self.problems.append(raw.diagnostic(rule, route, message, hint, key=key))


H = TypeVar("H", TemplateUseHead, TableHead)

_HEAD: Final = frozenset({"kind", "name", "renamed_from"})
"""What only a connector itself says."""


def _row(
    raw: RawDocument,
    head: TableHead,
    name: str,
    fields: dict[str, JSON],
    arguments: Mapping[str, Any],
) -> _Use:
    """One connector of a table."""
    row = head.connectors[name]
    route: Route = ("connectors", name)
    own: dict[str, JSON] = {"kind": str(Kind.EMAIL_CONNECTOR), "name": name}
    moved: dict[Route, Route] = {(): route, ("kind",): ("kind",), ("name",): route}
    if name in head.renamed_from:
        own["renamed_from"] = head.renamed_from[name]
        moved["renamed_from",] = ("renamed_from", name)
    table = Layer(raw.file, raw.positions, shared=True, written=raw.as_written, table=True)
    line = replace(table, base=None, moved=moved, shared=False)
    rights: dict[Route, Route] = {(): route, ("kind",): ("kind",), ("connector",): route}
    return _Use(
        raw=raw,
        name=name,
        head=own,
        fields=fields,
        arguments=arguments,
        places={
            item: (*route, item) if item in row else ("parameters", item) for item in arguments
        },
        route=route,
        layers=(line, table),
        rights_layers=(replace(line, moved=rights), replace(table, base=(PERMISSIONS,))),
    )


def _without(value: dict[str, JSON], names: frozenset[str]) -> dict[str, JSON]:
    return {key: item for key, item in value.items() if key not in names}


def _shown(name: str) -> str:
    """A name as messages quote it: what cannot be one may be a misplaced secret."""
    return name if _QUOTABLE.fullmatch(name) else "(not a name)"


_QUOTABLE: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def _is_name(text: str) -> bool:
    return re.fullmatch(NAME_PATTERN, text) is not None


def _and(names: list[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last
