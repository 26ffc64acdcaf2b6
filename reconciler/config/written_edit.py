"""Changes the values of a document in its text, keeping comments, order and quotes if possible."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from reconciler.config.compose import compose
from reconciler.config.plain_edit import plainly_edited
from reconciler.config.plain_yaml import plain_documents
from reconciler.config.yaml_text import styled

if TYPE_CHECKING:
    from reconciler.config.plain_edit import Read
    from reconciler.model.resource import JSON


def edited(
    text: str, value: dict[str, JSON], before: JSON = None, *, read: Read = plain_documents
) -> str | None:
    """The text of one document with a new value; None if it cannot be changed in place.

    ``text`` may begin with ``---``. Line ends stay. ``before`` is the old value, if the text is
    known to be in the common form. ``read`` reads documents in that form.
    """
    plainly = plainly_edited(text, value, before, read=read)
    return plainly if plainly is not None else by_round_trip(text, value)


def by_round_trip(text: str, value: dict[str, JSON]) -> str | None:
    """The same by ruamel's round trip, whatever the document contains."""
    crlf = "\r\n" in text
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 1_000_000
    editor.allow_unicode = True
    editor.indent(mapping=2, sequence=4, offset=2)
    plain = text.replace("\r\n", "\n")
    editor.explicit_start = plain.lstrip("\ufeff").startswith("---")
    stream = io.StringIO()
    try:
        document = editor.load(plain)
        if not isinstance(document, CommentedMap):
            return None
        _update(document, value)
        editor.dump(document, stream)
    except (YAMLError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    changed = stream.getvalue()
    again = compose(changed, "")
    if again.diagnostics or [item.value for item in again.documents] != [value]:
        return None
    return changed.replace("\n", "\r\n") if crlf else changed


def _update(document: CommentedMap, value: dict[str, JSON]) -> None:
    """Make a mapping equal to a value, touching only what differs."""
    for key in [key for key in document if key not in value]:
        del document[key]
    for key, item in value.items():
        if key not in document:
            document[key] = _like_the_others(document, item)
            continue
        there: Any = document[key]
        if isinstance(there, CommentedMap) and isinstance(item, dict):
            _update(there, item)
        elif there != item or type(there) is bool is not type(item):
            # A text with a variable needs no quotes if the old one had none.
            plain = type(there) is str and isinstance(item, str) and "${" in item
            document[key] = item if plain else styled(item)


def _like_the_others(document: CommentedMap, item: JSON) -> Any:
    """A new value, in brackets if its siblings are."""
    new = styled(item)
    others = [value for value in document.values() if isinstance(value, CommentedMap)]
    if isinstance(new, CommentedMap) and others and all(value.fa.flow_style() for value in others):
        new.fa.set_flow_style()
    return new
