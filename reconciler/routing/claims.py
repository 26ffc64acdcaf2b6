"""Detecting mail that claims an address of a connector that its sender may not use.

Recipients see names and addresses, not rights. So an address is compared as they would read it: however
it is quoted, encoded, folded or spelled in lookalike characters, even in a display name.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, Final

from reconciler.routing.spelling import QUOTING, normal_address, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.routing.index import RoutingIndex

AUTHOR_FIELDS: Final = frozenset(
    {
        "from", "sender", "reply-to", "return-path", "x-original-from", "x-original-sender",
        "x-sender", "resent-from", "resent-sender", "resent-reply-to", "mail-reply-to",
        "mail-followup-to", "disposition-notification-to", "return-receipt-to", "errors-to",
        "author", "apparently-from", "original-from", "original-sender", "on-behalf-of",
    }
)  # fmt: skip
"""Header fields that name an author or a reply address, in lower case."""

_COMMENT: Final = re.compile(r"\((?:[^()\\]|\\.)*\)")
_AROUND: Final = re.compile(r"\s*([@.])\s*")
_CANDIDATE: Final = re.compile(r"[^\s<>()\[\],;:@]+@\[?[^\s<>()\[\],;:@]+")
_BARE: Final = re.compile(r"(?<![\w.+-])[\w.+-]+@\[?[\w-]+(?:\.[\w-]+)*")
"""An address without unusual surrounding symbols, as in ``{ada@x.example}``."""
_ENCODED_WORD: Final = re.compile(r"=\?([^?\s]*)\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS: Final = re.compile(r"(?<=\?=)\s+(?==\?)")

LONGEST: Final = 8_000
"""The maximum length of all such fields: far more than authors need, yet fast to search."""


def claimed(texts: Iterable[str], actor: str, index: RoutingIndex) -> str:
    """Report an address that a mail claims without permission; empty if none.

    ``texts`` are values of header fields, display names and envelope addresses, as they occur in the
    mail. An address of several connectors is free to anybody who may use one of them. Fields of absurd
    length, which would take long to search, are refused outright.
    """
    found = addresses_in(texts)
    if found is None:
        return f"the fields that name an author hold more than {LONGEST:,} characters"
    if not found:
        return ""
    reasons: dict[str, str] = {}
    for address, shown, connector in index.owners(found):
        if reasons.get(address) == "":
            continue
        why_not = index.refusal(connector.name, actor)
        reasons[address] = f"{shown} is claimed, and {why_not}" if why_not else ""
    return next((reason for _, reason in sorted(reasons.items()) if reason), "")


def addresses_in(texts: Iterable[str]) -> set[str] | None:
    """Find everything in the texts that looks like an address; None if they are absurdly long."""
    texts = tuple(texts)
    if sum(map(len, texts)) > LONGEST:
        return None
    return {candidate for text in texts for candidate in _candidates(text)}


def _candidates(text: str) -> set[str]:
    """Find everything in a text that looks like an address."""
    found = set()
    for form in {text, _decoded(text), *_decoded_by_word(text)}:
        for shown in {_without_comments(form), _COMMENT.sub(" ", form), form}:
            plain = _AROUND.sub(r"\1", visible(QUOTING.sub("", shown)))
            for match in (*_CANDIDATE.findall(plain), *_BARE.findall(plain)):
                found.add(normal_address(match.replace("@[", "@").strip("[].-")))
                found.add(normal_address(match.strip("[].")))
    return found


def _without_comments(text: str) -> str:
    """The text without its comments, which may be nested (RFC 5322 section 3.2.2)."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and not depth:
            quoted = not quoted
        elif character == "(" and not quoted:
            depth += 1
        elif character == ")" and depth:
            depth -= 1
            kept.append(" ")
            continue
        if not depth:
            kept.append(character)
    return "".join(kept)


def _decoded(text: str) -> str:
    """The text with its encoded words decoded as in RFC 2047; unchanged if one of them is invalid."""
    try:
        return str(make_header(decode_header(text.replace("\r", "").replace("\n", " "))))
    except (HeaderParseError, LookupError, ValueError):
        return text


def _decoded_by_word(text: str) -> tuple[str, str]:
    """The text with each encoded word decoded separately, as lenient readers do.

    An invalid word hides no other, a word may be adjacent to others, and a charset may name a language
    (RFC 2231 section 5). First without the space between two words, as in RFC 2047, then with it.
    """
    return (
        _ENCODED_WORD.sub(_word, _BETWEEN_WORDS.sub("", text)),
        _ENCODED_WORD.sub(_word, text),
    )


def _word(match: re.Match[str]) -> str:
    charset, encoding, content = match[1].partition("*")[0], match[2], match[3]
    raw = content.encode(errors="replace")
    if encoding in "qQ":
        raw = quopri.decodestring(raw, header=True)
    else:
        try:
            raw = base64.b64decode(raw + b"==")
        except binascii.Error:
            return match[0]
    try:
        return raw.decode(charset, errors="ignore")
    except (LookupError, ValueError):  # an unknown or invalid charset
        return raw.decode(errors="ignore")
