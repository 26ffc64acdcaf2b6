"""Expands a document, and finds the shortest document of a template for a given connector.

Nothing here knows what a template fills in. Each omitted field and each parameter value is
tested by reading the document back as the same resources, so every result is correct.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from reconciler.config.build import build_connector
from reconciler.config.documents import parse
from reconciler.config.expansion import PERMISSIONS, WRITTEN_ONLY, expand
from reconciler.config.positions import Place, Position, Positions
from reconciler.config.raw import RawDocument, value_at
from reconciler.config.template_documents import NAME_PARAMETER
from reconciler.config.templates import Template, interpolated, read_template
from reconciler.config.unresolve import in_full, paths_of, without, without_needless
from reconciler.config.variables import VARIABLE_PREFIX, Variables, as_text, substitute
from reconciler.errors import ReconcilerError
from reconciler.model.address import Address
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.resource import to_plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.config.unresolve import Written
    from reconciler.model.connector import Connector
    from reconciler.model.permissions import Permissions
    from reconciler.model.provider import Provider
    from reconciler.model.resource import JSON, Resource

Made = Mapping[Address, "Resource"]

_ROOT: Final = Positions({(): Place(Position(1, 1), Position(1, 1), scalar=False)})
_SIGN: Final = re.compile(r"\$\{([a-z][a-z0-9_.]*)\}")


class Wanted(Struct, frozen=True):
    """A connector to make, and its permissions if they are in its own document."""

    connector: Connector
    permissions: Permissions | None = None

    @property
    def made(self) -> Made:
        """The resources that its document must make, and no others."""
        found: dict[Address, Resource] = {self.connector.address: self.connector}
        if self.permissions is not None:
            found[self.permissions.address] = self.permissions
        return found


class Workshop(Struct, frozen=True):
    """Makes resources from documents, with the known templates and providers."""

    variables: Variables
    providers: Mapping[str, Provider]
    known: dict[str, Template] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        documents: Iterable[RawDocument],
        variables: Variables,
        providers: Mapping[str, Provider],
    ) -> Workshop:
        """Use the valid templates among these documents."""
        found = (read_template(raw, variables)[0] for raw in documents)
        return cls(variables, providers, {item.name: item for item in found if item is not None})

    def made(self, value: Written) -> Made | None:
        """The resources that a document makes; None if it is invalid."""
        return self.made_of(RawDocument(value, "", _ROOT))

    def made_of(self, raw: RawDocument) -> Made | None:
        """The same for a document that was already read."""
        expanded = expand(
            [(raw, True)], self.variables, complete=True, templates=self.known.values()
        )
        if any(item.is_error for item in expanded.diagnostics):
            return None
        found: dict[Address, Resource] = {}
        for item in expanded.documents:
            entry = parse(item).entry
            if entry is None:
                return None
            value = entry.value
            resource: Resource = (
                build_connector(value, self.providers.get(value.provider or ""))
                if isinstance(value, ConnectorDocument)
                else value
            )
            found[resource.address] = resource
        return found

    def resolved(self, value: Written) -> Written:
        """A document with its variables replaced."""
        found, _ = substitute(RawDocument(value, "", _ROOT), self.variables)
        return found.value if isinstance(found.value, dict) else {}

    def with_signs(self, value: JSON, text: JSON) -> JSON:
        """A value, with the variables of the text that it replaces."""
        if not isinstance(value, str) or not isinstance(text, str) or "$" in value:
            return value
        found = value
        for sign in dict.fromkeys(_SIGN.findall(text)):
            name = sign.removeprefix(VARIABLE_PREFIX)
            known = as_text(self.variables.values.get(name, ""))
            if sign != name and known:
                found = found.replace(known, f"${{{sign}}}")
        return found if self.resolved({"x": found}) == {"x": value} else value

    def full(self, wanted: Wanted) -> Written:
        """The whole document of a connector, with its permissions."""
        connector = wanted.connector
        found = in_full(connector, self.providers.get(connector.provider or ""))
        if wanted.permissions is not None:
            plain = to_plain(wanted.permissions)
            rights = plain if isinstance(plain, dict) else {}
            found[PERMISSIONS] = {
                key: item for key, item in rights.items() if key not in ("kind", "connector")
            }
        return found

    def arguments(self, name: str, wanted: Wanted) -> dict[str, JSON]:
        """The inferred parameters with which a template would make a connector."""
        template = self.known[name]
        full = self.full(wanted)
        known = {NAME_PARAMETER: wanted.connector.name}
        known |= {
            f"{VARIABLE_PREFIX}{key}": as_text(value)
            for key, value in self.variables.values.items()
        }
        found: dict[str, JSON] = {}
        for route, text in interpolated(template.fields, ()):
            value = value_at(full, route)
            if value is None:
                continue
            whole = _SIGN.fullmatch(text)
            if whole and whole[1] in template.parameters:
                found.setdefault(whole[1], value)
            elif isinstance(value, str):
                for key, item in _captured(text, value, known).items():
                    found.setdefault(key, _typed(item, template, key))
        defaults = {key: item.default for key, item in template.parameters.items()}
        return {key: value for key, value in found.items() if value != defaults.get(key)}


def _captured(text: str, value: str, known: Mapping[str, str]) -> dict[str, str]:
    """The texts in place of the parameters; empty if the rest does not match."""
    pattern, place = "", 0
    names: list[str] = []
    for sign in _SIGN.finditer(text):
        pattern += re.escape(text[place : sign.start()])
        name = sign[1]
        if name in known:
            pattern += re.escape(known[name])
        elif name in names:
            pattern += f"(?P=p{names.index(name)})"
        else:
            pattern += f"(?P<p{len(names)}>.+?)"
            names.append(name)
        place = sign.end()
    match = re.fullmatch(pattern + re.escape(text[place:]), value, re.DOTALL)
    return {name: match[f"p{number}"] for number, name in enumerate(names)} if match else {}


def _typed(text: str, template: Template, name: str) -> JSON:
    declared = template.parameters[name].type if name in template.parameters else ""
    if declared == "integer" and re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII):
        return int(text)
    if declared == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def shortest(workshop: Workshop, written: Written, wanted: Wanted) -> Written | None:
    """The document that makes a connector with the fewest edits; None if its template does not fit.

    First only values of parameters change, then as few fields as possible are added or
    replaced.
    """
    head = {key: written[key] for key in ("kind",) if key in written}
    head |= {"name": wanted.connector.name}
    base = {**written, **head}
    template = written.get("template")
    if not isinstance(template, str):
        return _with_fields(workshop, base, wanted)
    if template not in workshop.known:
        return None
    given = written.get("parameters")
    own = given if isinstance(given, dict) else {}
    inferred = {**base, "parameters": {**own, **workshop.arguments(template, wanted)}}
    bases = [base, inferred] if inferred["parameters"] else [base]
    for candidate in bases:
        if workshop.made(candidate) == wanted.made:
            return candidate
    found = [_with_fields(workshop, item, wanted) for item in bases]
    fits = [item for item in found if item is not None]
    return min(fits, key=lambda item: _changes(written, item), default=None)


def _changes(before: Written, after: Written) -> int:
    """How many fields differ."""
    paths = {*paths_of(before), *paths_of(after)}
    values = [(value_at(before, path), value_at(after, path)) for path in paths]
    return sum(
        old != new and not (isinstance(old, dict) or isinstance(new, dict)) for old, new in values
    )


def _with_fields(workshop: Workshop, base: Written, wanted: Wanted) -> Written | None:
    """Add every field of the connector, then remove new ones that change nothing."""
    resolved = workshop.resolved(base)
    whole = workshop.full(wanted)
    few = _with_few_fields(workshop, base, resolved, whole, wanted)
    if few is not None:
        return _ordered(few, base)
    full = _in_its_words(whole, resolved, wanted.connector)
    kept: Written = {key: base[key] for key in _OF_USE if key in base}
    found: Written = {**full, **kept}
    for path in tuple(paths_of(full)):
        if isinstance(value_at(full, path), dict):
            continue
        if value_at(resolved, path) == value_at(full, path):
            found = _with(found, path, value_at(base, path))
        else:
            found = _with(
                found, path, workshop.with_signs(value_at(full, path), value_at(base, path))
            )
    present = {path for path in paths_of(base) if value_at(found, path) == value_at(base, path)}
    if workshop.made(found) != wanted.made:
        return None
    removable = [path for path in paths_of(found) if path not in present and path[0] not in _HEAD]
    return _ordered(_reduced(workshop, found, removable, wanted.made), base)


def _with_few_fields(
    workshop: Workshop, base: Written, resolved: Written, whole: Written, wanted: Wanted
) -> Written | None:
    """The same without trial and error, for a document without a template; None if uncertain."""
    if wanted.permissions is not None or not WRITTEN_ONLY.isdisjoint(base):
        return None
    provider = workshop.providers.get(wanted.connector.provider or "")
    try:
        short = without_needless(whole, wanted.connector, provider)
    except ReconcilerError:
        return None
    full = _in_its_words(whole, resolved, wanted.connector)
    found = _merged(workshop, base, resolved, full, short)
    if "client_certificate" in found and "client_certificate" not in short:
        return None  # its key may then be needed
    if "renamed_from" in base:
        found["renamed_from"] = base["renamed_from"]
    return found if workshop.made(found) == wanted.made else None


def _merged(
    workshop: Workshop, base: Written, resolved: Written, full: Written, short: Written
) -> Written:
    """The written fields that equal the full document's, and the other fields that are required."""
    found: Written = {}
    for name, item in full.items():
        text, value = base.get(name), resolved.get(name)
        needed = short.get("use_ssl" if name == "security" and name not in short else name)
        if value == item:
            found[name] = text
        elif isinstance(item, dict) and isinstance(needed, dict):
            found[name] = _merged(workshop, _mapping(text), _mapping(value), item, needed)
        elif needed is not None:
            found[name] = workshop.with_signs(item, text)
    return found


def _mapping(value: JSON) -> Written:
    return value if isinstance(value, dict) else {}


def _in_its_words(full: Written, resolved: Written, connector: Connector) -> Written:
    """Use ``security`` in place of ``use_ssl`` if the document does."""
    for side, server in (("imap", connector.imap), ("smtp", connector.smtp)):
        account = full.get(side)
        if server is None or not isinstance(account, dict):
            continue
        if "use_ssl" in account and value_at(resolved, (side, "security")) is not None:
            fields = {key: item for key, item in account.items() if key != "use_ssl"}
            full = {**full, side: {**fields, "security": to_plain(server.security)}}
    return full


_OF_USE: Final = ("template", "parameters", "renamed_from")
_HEAD: Final = ("kind", "name", *_OF_USE)


def _reduced(
    workshop: Workshop, found: Written, removable: list[tuple[str, ...]], made: Made
) -> Written:
    """Omit fields while the document makes the same: all at once, else by bisection."""
    if not removable:
        return found
    shorter = found
    for path in removable:
        shorter = without(shorter, path) if value_at(shorter, path) is not None else shorter
    if workshop.made(shorter) == made:
        return shorter
    if len(removable) == 1:
        return found
    middle = len(removable) // 2
    found = _reduced(workshop, found, removable[:middle], made)
    return _reduced(workshop, found, removable[middle:], made)


def _ordered(value: Written, like: Written) -> Written:
    """The fields in their written order, new ones last."""
    keys = [key for key in like if key in value] + [key for key in value if key not in like]
    found: Written = {}
    for key in keys:
        item, other = value[key], like.get(key)
        found[key] = (
            _ordered(item, other) if isinstance(item, dict) and isinstance(other, dict) else item
        )
    return found


def _with(document: Written, path: tuple[str, ...], value: JSON) -> Written:
    name, *rest = path
    inner: Any = document.get(name)
    if not rest:
        return {**document, name: value}
    return {**document, name: _with(inner if isinstance(inner, dict) else {}, tuple(rest), value)}
