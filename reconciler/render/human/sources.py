"""Where values are written, in a short comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.plan.value_source import ParameterSource, ResourceSource, ValueSource
    from reconciler.render.terminal import Style


def source_remark(source: ValueSource | None, style: Style) -> str:
    """A comment after a value; nothing for one that is written directly in its resource's document."""
    if source is None or source.is_plain:
        return ""
    return f"  {style.faint(f'# {visible(source_text(source))}')}"


def source_text(source: ValueSource) -> str:
    """What holds a value, with file and line: ``template shop, connectors.d/shops.yaml:7``."""
    return ", ".join(_parts(source))


def _parts(source: ValueSource) -> Iterator[str]:
    variables = [f"${{var.{name}}}" for name in source.variables]
    if source.whole:
        yield from (_parameter(item) for item in source.parameters)
        return
    if source.template:
        yield f"template {source.template}"
    elif source.table:
        yield "table"
    elif source.provider:
        yield f"provider {source.provider}"
    if source.place:
        yield source.place
    for item in source.parameters:
        yield f"with {_parameter(item)}"
    if variables:
        yield f"with {' and '.join(variables)}"


def _parameter(item: ParameterSource) -> str:
    if item.file is None:
        return f"parameter {item.name} of each"
    return f"parameter {item.name} of {item.file}:{item.line}"


def made_by(resource: ResourceSource | None) -> str:
    """The origin of a connector that does not have its own full document: a table's row, a template."""
    if resource is None or not resource.expanded:
        return ""
    source = resource.itself
    if not (source.template or source.table):
        return ""
    return f"{source.place}, template {source.template}" if source.template else source.place
