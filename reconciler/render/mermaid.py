"""Who sends as whom, as a diagram of Mermaid, which GitHub and GitLab draw."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.model.domain import with_a_label
from reconciler.render.markdown import fenced
from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from reconciler.plan.document import RouteDocument
    from reconciler.render.human.routes import SenderLine

MOST: Final = 20
"""The maximum number of senders for a readable picture."""


def mermaid(lines: list[SenderLine]) -> str:
    """The diagram of all senders if they are few, else of those that change; "" if those are many too."""
    shown = lines if len(lines) <= MOST else [line for line in lines if line.mark != " "]
    if not 0 < len(shown) <= MOST:
        return ""
    ends: dict[tuple[str, str], str] = {}
    senders, arrows = [], []
    for number, line in enumerate(shown):
        sender = f"s{number}"
        senders.append(f'  {sender}["{label(with_a_label(line.sender))}"]')
        new = line.after if line.mark != " " else None
        same = line.before is not None and new is not None and _end(line.before) == _end(new)
        if line.before is not None and line.mark in "~-" and not same:
            arrows.append(f"  {sender} -.-> {_node(line.before, ends)}")
        if line.after is not None:
            arrow = "==>" if line.mark != " " and not same else "-->"
            arrows.append(f"  {sender} {arrow} {_node(line.after, ends)}")
    nodes = [f"  {node}{_shape(end)}" for end, node in ends.items()]
    return fenced("\n".join(["flowchart LR", *senders, *nodes, *arrows]), "mermaid")


def label(text: str) -> str:
    """Text for a label in quotes: unchanged if plain, else with each symbol as a Mermaid character code.

    Mermaid parses labels as Markdown, so even a list's dot or an underscore is syntax.
    """
    shown = visible(text)
    if _PLAIN.fullmatch(shown):
        return shown
    return "".join(char if char.isalnum() or char == " " else f"#{ord(char)};" for char in shown)


_WORDS: Final = r"[^\W_]+(?:[@.-]{1,2}[^\W_]+)*"
_PLAIN: Final = re.compile(rf"{_WORDS}(?: \({_WORDS}\))?")
"""An address, with the ASCII form of its domain in parentheses if it has one."""


def _end(row: RouteDocument) -> tuple[str, str]:
    return (row.as_address or "", row.via or "")


def _node(row: RouteDocument, ends: dict[tuple[str, str], str]) -> str:
    return ends.setdefault(_end(row), f"w{len(ends)}")


def _shape(end: tuple[str, str]) -> str:
    address, via = end
    if not address:
        return '{{"refused"}}'
    return f'(["as {label(with_a_label(address))}<br/>through {label(via)}"])'
