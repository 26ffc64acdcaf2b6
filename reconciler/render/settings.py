"""The settings in force, for people and for machines. The state's URL is not shown: it may hold a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from reconciler.render.formats import OutputFormat
from reconciler.render.json import to_json
from reconciler.render.terminal import table

if TYPE_CHECKING:
    from reconciler.config.effective import EffectiveSettings
    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style


def settings_text(
    in_force: EffectiveSettings,
    state_source: str,
    rules: tuple[str, ...],
    ci: str,
    *,
    output_format: TextOrJson,
    style: Style,
) -> str:
    """The settings as a table, what is ignored, and which credentials need no approval; or as JSON."""
    match output_format:
        case OutputFormat.HUMAN:
            return _table(in_force, state_source, rules, ci, style)
        case OutputFormat.JSON:
            return to_json(
                {
                    "format_version": "1.0",
                    "ci": ci,
                    "state_source": state_source,
                    "settings": in_force.sources,
                    "ignored": in_force.ignored,
                    "credentials": rules,
                }
            )
        case _:
            assert_never(output_format)


def _table(
    in_force: EffectiveSettings, state_source: str, rules: tuple[str, ...], ci: str, style: Style
) -> str:
    rows = [(item.name, item.value, item.source) for item in in_force.sources]
    rows.append(("state", "(not shown)", state_source))
    lines = [*table(("setting", "value", "set by"), rows, style.width, gives=(1,)), ""]
    lines.append(
        f"{ci} runs this, so reconciler.yaml only tightens." if ci else "No CI system runs this."
    )
    lines += [f"Ignored: {sentence}." for sentence in in_force.ignored]
    lines += [f"Allowed credential: {rule}" for rule in rules]
    return "\n".join(lines)
