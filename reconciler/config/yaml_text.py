"""Documents as readable YAML text that every YAML parser understands the same way."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from reconciler.config.plain_text import fits_on_a_line, is_plain, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.model.resource import JSON


def yaml_text(documents: Sequence[Mapping[str, JSON]], header: str) -> str:
    """The text of a file; ``header`` becomes the comment at its top."""
    text = plain_text(documents)
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    return comment + (text if text is not None else any_text(documents))


def any_text(documents: Iterable[Mapping[str, JSON]]) -> str:
    """The text of documents by ruamel, whatever they contain."""
    writer = YAML()
    writer.width = 1_000_000  # text folded over lines cannot be searched for
    writer.allow_unicode = True
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump_all([styled(document) for document in documents], stream)
    return stream.getvalue()


def styled(value: JSON | Mapping[str, JSON]) -> Any:
    """A value for ruamel, quoted where a parser could misread the text."""
    if isinstance(value, str):
        return value if is_plain(value) else DoubleQuotedScalarString(value)
    if isinstance(value, list):
        items = CommentedSeq([styled(item) for item in value])
        if fits_on_a_line(value):
            items.fa.set_flow_style()
        return items
    if isinstance(value, dict):
        return CommentedMap((name, styled(item)) for name, item in value.items())
    return value
