"""Documents as readable YAML text that every YAML parser understands in the same way."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.resource import JSON

# Plain text is what no version of YAML takes for anything else: words that begin with a letter, with
# no blank after a colon. YAML 1.1 also knows yes, no, on and off.
_PLAIN: Final = re.compile(r"[^\W\d_](?:[\w./@+=~{}-]|:(?=[\w./])|(?<=\w) (?=\w))*")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_LINE: Final = 88
"""A list longer than this is written with an item on each line."""


def yaml_text(documents: Iterable[Mapping[str, JSON]], header: str) -> str:
    """The text of a file; ``header`` becomes the comment at its top."""
    writer = YAML()
    writer.width = 1_000_000  # a text that is folded over lines cannot be searched for
    writer.allow_unicode = True
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump_all([styled(document) for document in documents], stream)
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    return comment + stream.getvalue()


def styled(value: JSON | Mapping[str, JSON]) -> Any:
    """A value that ruamel writes so: quotes where a parser could take a text for anything else."""
    if isinstance(value, str):
        return value if is_plain(value) else DoubleQuotedScalarString(value)
    if isinstance(value, list):
        items = CommentedSeq([styled(item) for item in value])
        if sum(len(str(item)) + 2 for item in value) <= _LINE:
            items.fa.set_flow_style()
        return items
    if isinstance(value, dict):
        return CommentedMap((name, styled(item)) for name, item in value.items())
    return value


def is_plain(text: str) -> bool:
    """Whether every version of YAML reads a text without quotes as this text."""
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
