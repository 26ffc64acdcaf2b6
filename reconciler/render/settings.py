"""The settings in force, for people and for machines.

The state's URL is not shown: it may hold a password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.model.setting import Setting
from reconciler.render.formats import OutputFormat
from reconciler.render.json import to_json
from reconciler.render.terminal import table

if TYPE_CHECKING:
    from reconciler.config.effective import EffectiveSettings
    from reconciler.mail.web_proxy import ProxySettings
    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDocument:
    """The settings in force. ``ci`` is the CI system that runs this, empty if there is none.

    ``state_source`` says who chose the state, ``ignored`` what the repository may not set, and
    ``credentials`` are the rules for secrets that need no further approval. ``proxy`` is the web proxy that
    token endpoints are reached through, without its credentials, and ``proxy_source`` the variable that names it.
    """

    format_version: Literal["1.0"] = "1.0"
    ci: str
    state_source: str
    proxy: str
    proxy_source: str
    settings: tuple[Setting, ...]
    ignored: tuple[str, ...]
    credentials: tuple[str, ...]


def settings_document(
    in_force: EffectiveSettings,
    state_source: str,
    rules: tuple[str, ...],
    ci: str,
    proxies: ProxySettings,
) -> SettingsDocument:
    """Convert the settings in force to their published form."""
    return SettingsDocument(
        ci=ci,
        state_source=state_source,
        proxy=str(proxies),
        proxy_source=proxies.variable,
        settings=in_force.sources,
        ignored=in_force.ignored,
        credentials=rules,
    )


def settings_text(document: SettingsDocument, output_format: TextOrJson, style: Style) -> str:
    """The settings as a table, what is ignored, and which credentials need no approval; or as JSON."""
    match output_format:
        case OutputFormat.HUMAN:
            return _table(document, style)
        case OutputFormat.JSON:
            return to_json(document)
        case _:
            assert_never(output_format)


def _table(document: SettingsDocument, style: Style) -> str:
    rows = [(item.name, item.value, item.source) for item in document.settings]
    rows.append(("state", "(not shown)", document.state_source))
    rows.append(("proxy of token endpoints", document.proxy, document.proxy_source or "default"))
    lines = [*table(("setting", "value", "set by"), rows, style.width, gives=(1,)), ""]
    lines.append(
        f"{document.ci} runs this command, so reconciler.yaml can only tighten."
        if document.ci
        else "No CI system runs this command."
    )
    lines += [f"Ignored: {sentence}." for sentence in document.ignored]
    lines += [f"Allowed credential: {rule}" for rule in document.credentials]
    return "\n".join(lines)
