"""The text of an export, piece by piece: the whole need never be in memory."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from reconciler.ci_systems import escape_commands
from reconciler.model.resource import canonical_json
from reconciler.state.exported import FORMAT, PARTS, part_adapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.resource import JSON
    from reconciler.state.exported import WholeState

_AT_ONCE: Final = 50
"""The number of elements to convert at once: few, because a resource can be large."""

_NESTED: Final = frozenset({"resources", "history"})
"""The parts whose elements hold more than plain values."""

_READ_ONCE: Final = "sent"
"""The part with by far the most elements: its digest is computed while writing."""


def text_pieces(whole: WholeState, *, tool_version: str) -> Iterator[str]:
    """Yield the text of an export, with its digest at the end.

    All parts but the log of sending are read twice: the digest is that of the members in another order.
    """
    head: dict[str, Any] = {
        "format_version": FORMAT,
        "tool_version": tool_version,
        "lineage": whole.lineage,
        "serial": whole.serial,
    }
    made = Digest()
    names = sorted([*head, *PARTS])
    place = names.index(_READ_ONCE)
    for name in names[:place]:
        _add(made, name, head, whole)
    yield "{"
    for name, value in head.items():
        yield f'{"," if name != "format_version" else ""}\n "{name}": {escape_commands(_text(value))}'
    for name in PARTS:
        yield f',\n "{name}": '
        items = _plain(whole, name)
        yield from _list(name, made.passed(name, items) if name == _READ_ONCE else items)
    for name in names[place + 1 :]:
        _add(made, name, head, whole)
    yield f',\n "digest": {_text(str(made))}\n}}\n'


def _add(made: Digest, name: str, head: dict[str, Any], whole: WholeState) -> None:
    if name in PARTS:
        made.add_list(name, _plain(whole, name))
    else:
        made.add(name, head[name])


class Digest:
    """The digest of the canonical JSON of an object, from its members in the order of their names."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"{")
        self._empty = True

    def add(self, name: str, value: JSON) -> None:
        """Add a member."""
        self._begin(name)
        self._update(canonical_json(value))

    def add_list(self, name: str, items: Iterable[Any]) -> None:
        """Add a member that is a list."""
        deque(self.passed(name, items), maxlen=0)

    def passed(self, name: str, items: Iterable[Any]) -> Iterator[Any]:
        """Add a list, and pass on its elements."""
        self._begin(name)
        separator = "["
        for item in items:
            self._update(separator + canonical_json(item))
            separator = ","
            yield item
        self._update("[]" if separator == "[" else "]")

    def __str__(self) -> str:
        whole = self._hash.copy()
        whole.update(b"}")
        return f"sha256:{whole.hexdigest()}"

    def _begin(self, name: str) -> None:
        self._update(("" if self._empty else ",") + json.dumps(name, ensure_ascii=False) + ":")
        self._empty = False

    def _update(self, text: str) -> None:
        self._hash.update(text.encode())


def _plain(whole: WholeState, name: str) -> Iterator[dict[str, Any]]:
    """The elements of a part as plain values."""
    items, convert = iter(getattr(whole, name)), part_adapter(name).dump_python
    while portion := tuple(islice(items, _AT_ONCE)):
        for item in convert(portion, mode="json"):
            yield _in_order(item) if name in _NESTED else item


def _in_order(item: dict[str, Any]) -> dict[str, Any]:
    """Sort the fields of a specification and of facts, whose order differs from store to store."""
    test = item.get("last_test")
    for holder, name in ((item, "spec"), *(((test, "facts"),) if test else ())):
        holder[name] = json.loads(canonical_json(holder[name]))
    return item


def _list(name: str, items: Iterable[dict[str, Any]]) -> Iterator[str]:
    separator = "[\n  "
    for item in items:
        text = _text(item).replace("\n", "\n  ") if name in _NESTED else _flat(item)
        yield escape_commands(separator + text)
        separator = ",\n  "
    yield "[]" if separator[0] == "[" else "\n ]"


def _text(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _flat(item: dict[str, Any]) -> str:
    """Like :func:`_text`, for an element without nested values, by the encoder in C."""
    text = json.dumps(item, ensure_ascii=False, separators=(",\n   ", ": "))
    return f"{{\n   {text[1:-1]}\n  }}"
