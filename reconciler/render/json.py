"""Documents for machines as JSON text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler.ci_systems import escape_commands
from reconciler.model.resource import to_plain
from reconciler.values import field_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def to_json(document: object) -> str:
    """Indented JSON of any document type, in UTF-8, nulls included.

    Long lists are written member by member, so that the report of 100,000 connectors does not take
    its memory twice.
    """
    return escape_commands(_to_json(document))


def json_pieces(empty: object, items: Iterable[object]) -> Iterator[str]:
    """Yield the text of a document, member by member of the list at its end, which ``empty`` has without members."""
    head = to_json(empty).removesuffix("[]\n}")
    separator = f"{head}[\n    "
    for item in items:
        yield separator + escape_commands(_indented(_dumps(item), 4))
        separator = ",\n    "
    yield f"{head}[]\n}}\n" if separator.startswith(head) else "\n  ]\n}\n"


def json_lines(items: Iterable[object]) -> Iterator[str]:
    """Yield a line of JSON for each document, nulls included."""
    for item in items:
        text = json.dumps(to_plain(item, nulls=True), ensure_ascii=False)
        yield escape_commands(text) + "\n"


def _to_json(document: object) -> str:
    names = field_names(type(document))
    if not names:
        return _dumps(document)
    members = (f"{json.dumps(name)}: {_member(getattr(document, name))}" for name in names)
    return "{\n  " + ",\n  ".join(members) + "\n}"


def _member(value: object) -> str:
    if not isinstance(value, tuple) or not value:
        return _indented(_dumps(value), 2)
    return "[\n    " + ",\n    ".join(_indented(_dumps(item), 4) for item in value) + "\n  ]"


def _dumps(value: object) -> str:
    return json.dumps(to_plain(value, nulls=True), indent=2, ensure_ascii=False)


def _indented(text: str, columns: int) -> str:
    # Every line break belongs to the layout: a string would contain it as \n.
    return text.replace("\n", "\n" + " " * columns)
