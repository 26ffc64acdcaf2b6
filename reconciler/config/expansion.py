"""Expands templates and tables into the documents that the model knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.model.address import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.config.raw import RawDocument
    from reconciler.config.templates import Template
    from reconciler.config.variables import Variables
    from reconciler.diagnostics import Diagnostic

TEMPLATE: Final = "Template"
TABLE: Final = "EmailConnectors"

PERMISSIONS: Final = "permissions"
"""The field with the content of a Permissions document."""

WRITTEN_ONLY: Final = frozenset({"template", "parameters", PERMISSIONS})
"""Fields of written connectors that the model's connectors lack."""


class Expanded(Struct, frozen=True):
    """The expanded documents; ``complete`` is false if some are missing or have unknown names."""

    documents: tuple[RawDocument, ...]
    diagnostics: tuple[Diagnostic, ...]
    complete: bool


def expand(
    written: Iterable[tuple[RawDocument, bool]],
    variables: Variables,
    *,
    complete: bool,
    templates: Iterable[Template] = (),
) -> Expanded:
    """Replace the variables in every document, and expand templates and tables.

    Each document comes with whether its texts may contain placeholders. ``complete`` says whether every
    file could be read: if not, one may hold a missing template. ``templates`` are those already read.
    """
    found = [*written]
    read_already = [*templates]
    if not read_already and not any(signs or _is_short(raw) for raw, signs in found):
        return Expanded(tuple(raw for raw, _ in found), (), complete=True)
    from reconciler.config.template_use import Expansion  # noqa: PLC0415 - many configurations have none

    work = Expansion(variables, complete)
    for template in read_already:
        work.first[template.name], work.templates[template.name] = template.raw, template
    rest = [(raw, signs) for raw, signs in found if not work.takes_template(raw)]
    for raw, signs in rest:
        work.take(raw, signs=signs)
    return Expanded(tuple(work.made), tuple(work.problems), work.complete)


def _is_short(raw: RawDocument) -> bool:
    """Whether a document stands for others, or is a connector with more than its own fields."""
    kind = raw.kind
    if kind == Kind.EMAIL_CONNECTOR and isinstance(raw.value, dict):
        return not WRITTEN_ONLY.isdisjoint(raw.value)
    return kind in (TEMPLATE, TABLE)
