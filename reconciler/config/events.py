"""The events of a YAML text, from ruamel's two parsers.

The one in C is some ten times as fast. It rejects some of YAML 1.2, above all a colon within
plain text between braces, as in ``{password: env:NAME}``. So rejected text is read again by the
one in Python, unless it is long: that one decides, and its positions are better. They agree on
whatever both accept; the one in C accepts slightly more (a tab at the end of a line, which YAML
allows, and a comment right after the ``|`` of a text block, which it does not).

ruamel's messages quote the text of the file, which may contain a password. They never leave
this module: errors are described in our own words, by what the parser was doing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reconciler.config.raw import MAX_FOR_REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ruamel.yaml.events import Event

try:
    from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]  # a compiled module
except ImportError:  # an installation without the extra: slower, and otherwise the same
    CParser = None


class SyntaxProblem(Exception):
    """The text is not YAML. Line and column count from one; neither message quotes the file."""

    def __init__(self, rule: str, message: str, hint: str, line: int, column: int) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column


def fast(text: str) -> Iterator[Event]:
    """Parse with the parser in C; raises YAMLError, whose message must not be shown."""
    parser = CParser(text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def fast_only(text: str) -> Iterator[Event]:
    """Parse with the parser in C; raises SyntaxProblem."""
    try:
        yield from fast(text)
    except MarkedYAMLError as error:
        raise _explain(error, text, 1, 1) from None
    except YAMLError:
        message, hint = _UNKNOWN
        raise SyntaxProblem("yaml/syntax", message, hint, 1, 1) from None


def reference(text: str) -> Iterator[Event]:
    """Parse with the parser in Python; raises SyntaxProblem."""
    line = column = 1
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            line, column = event.end_mark.line + 1, event.end_mark.column + 1
            yield event
    except MarkedYAMLError as error:
        raise _explain(error, text, line, column) from None
    except Exception:  # noqa: BLE001 - a slip of the parser's own must not quote the file either
        message, hint = _UNKNOWN
        raise SyntaxProblem("yaml/syntax", message, hint, line, column) from None


_NEXT_DOCUMENT: Final = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_DIRECTIVE: Final = re.compile(r"^%(?:YAML|TAG)\b", re.MULTILINE)
_LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What the parsers treat as a line end."""
_UNUSUAL_BREAK: Final = re.compile("[\r\x85\u2028\u2029]")


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Split a text into its documents; each piece comes with the number of lines before it.

    A line that begins with ``---`` always begins a document, even inside quoted text or a text
    block (YAML 1.2.2, section 9.1.2). A text with a directive is not split, since directives
    precede that line.
    """
    starts = [0]
    if not _DIRECTIVE.search(text):
        starts += [match.start() for match in _NEXT_DOCUMENT.finditer(text) if match.start()]
    lines = 0
    is_usual = not _UNUSUAL_BREAK.search(text)
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield lines, text[start:end]
        if is_usual:
            lines += text.count("\n", start, end)
        else:
            lines += sum(1 for _ in _LINE_BREAK.finditer(text, start, end))


def parsers(text: str) -> tuple[Callable[[str], Iterator[Event]], ...]:
    """The parsers to try on a text, in order; the errors of the last one are reported."""
    if CParser is None:
        return (reference,)
    return (fast, reference) if len(text) <= MAX_FOR_REFERENCE else (fast_only,)


_UNKNOWN: Final = (
    "This is not valid YAML.",
    "Compare the indentation and the punctuation here with the lines around it.",
)

# By fixed parts of ruamel's messages (scanner.py, parser.py). Anything else is _UNKNOWN.
_SENTENCES: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "while scanning a quoted scalar",
        "A quoted text is not closed.",
        "Close it with the quote it begins with.",
    ),
    (
        "while scanning a double-quoted scalar",
        "This quoted text contains an unknown escape.",
        "Use single quotes for a name with a backslash, as in 'DOMAIN\\name', or write it twice.",
    ),
    (
        "mapping values are not allowed",
        "A colon followed by a blank is not allowed here.",
        "Put a value that contains ': ' in quotes, and check the indentation.",
    ),
    (
        "could not find expected ':'",
        "A colon is missing after a field's name.",
        "Write `name: value`, with a blank after the colon.",
    ),
    (
        "while parsing a flow sequence",
        "A list in brackets is not well-formed.",
        "Put a comma between the items and close it with ].",
    ),
    (
        "while parsing a flow mapping",
        "A mapping in braces is not well-formed.",
        "Put a comma between the fields and close it with }.",
    ),
    (
        "found unexpected ':'",
        "In a text this long, an unquoted value in braces or brackets cannot contain a colon.",
        'Put the value in quotes, as in {password: "env:NAME"}.',
    ),
    (
        "while parsing a block mapping",
        "This line does not belong to the mapping around it.",
        "Fields of one mapping start in the same column.",
    ),
    (
        "while parsing a block collection",
        "This line does not belong to the list around it.",
        "Items of one list start with a dash in the same column.",
    ),
    (
        "sequence entries are not allowed",
        "A list cannot begin here.",
        "Start it on a line of its own, below the field's name.",
    ),
    (
        "while scanning a block scalar",
        "A text block is not well-formed.",
        "Indent its lines with blanks, further than the field's name.",
    ),
    (
        "while scanning an alias",
        "An alias is not well-formed.",
        "Put a value that begins with * in quotes.",
    ),
    (
        "while scanning an anchor",
        "An anchor is not well-formed.",
        "Put a value that begins with & in quotes.",
    ),
    (
        "while scanning a tag",
        "A tag is not well-formed.",
        "Put a value that begins with ! in quotes.",
    ),
    (
        "while parsing a node",
        "A tag, an anchor or a value is not well-formed.",
        "Put a value that begins with !, & or * in quotes.",
    ),
    (
        "while scanning a directive",
        "A directive is not well-formed.",
        "Put a value that begins with % in quotes.",
    ),
    (
        "that cannot start any token",
        "No value can begin with this character.",
        "Put the value in quotes.",
    ),
    (
        "expected '<document start>'",
        "Unexpected content follows the document.",
        "Check the indentation, or begin another document with a line of ---.",
    ),
)


# Unterminated constructs: report where they begin.
_SHOWN_FROM_START: Final = ("a quoted scalar", "a flow sequence", "a flow mapping")


def _explain(error: MarkedYAMLError, text: str, line: int, column: int) -> SyntaxProblem:
    mark = error.problem_mark or error.context_mark
    if error.context and error.context.endswith(_SHOWN_FROM_START):
        mark = error.context_mark or mark
    if mark is not None:
        line, column = mark.line + 1, mark.column + 1
        if text[mark.index : mark.index + 1] == "\t":
            message = "This line is indented with a tab; YAML requires blanks."
            return SyntaxProblem("yaml/tab", message, "Indent with blanks.", line, column)
    said = f"{error.context or ''} {error.problem or ''}"
    for part, message, hint in _SENTENCES:
        if part in said:
            return SyntaxProblem("yaml/syntax", message, hint, line, column)
    return SyntaxProblem("yaml/syntax", *_UNKNOWN, line, column)
