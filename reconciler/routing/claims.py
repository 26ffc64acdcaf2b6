"""Detecting mail that claims an address of a connector that its sender may not use.

Recipients see names and addresses, not rights. So an address is compared as they would read it: however
it is quoted, encoded, folded or spelled in other characters, and in a display name too.
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
"""Header fields that name an author, or whom an answer goes to, in lower case."""

_COMMENT: Final = re.compile(r"\((?:[^()\\]|\\.)*\)")
_AROUND: Final = re.compile(r"\s*([@.])\s*")
_CANDIDATE: Final = re.compile(r"[^\s<>()\[\],;:@]+@\[?[^\s<>()\[\],;:@]+")
_BARE: Final = re.compile(r"(?<![\w.+-])[\w.+-]+@\[?[\w-]+(?:\.[\w-]+)*")
"""An address without the signs around it that few addresses hold, as in ``{ada@x.example}``."""
_ENCODED_WORD: Final = re.compile(r"=\?([^?\s]*)\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS: Final = re.compile(r"(?<=\?=)\s+(?==\?)")

LONGEST: Final = 8_000
"""Characters of all such fields together: far more than authors need, and little enough to be looked through."""


def claimed(texts: Iterable[str], actor: str, index: RoutingIndex) -> str:
    """Say whose address a mail claims that its sender may not use; empty if none.

    ``texts`` are values of header fields, display names and envelope addresses, as they stand in the mail.
    An address of several connectors is free to whoever may use one of them. Fields of absurd length, which
    would take long to be looked through, are refused as they are.
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
    """Find everything in the texts that reads as an address; None if they are of absurd length."""
    texts = tuple(texts)
    if sum(map(len, texts)) > LONGEST:
        return None
    return {candidate for text in texts for candidate in _candidates(text)}


def _candidates(text: str) -> set[str]:
    """Find everything in a text that reads as an address."""
    found = set()
    for form in {text, _decoded(text), *_decoded_by_word(text)}:
        for shown in {_without_comments(form), _COMMENT.sub(" ", form), form}:
            plain = _AROUND.sub(r"\1", visible(QUOTING.sub("", shown)))
            for match in (*_CANDIDATE.findall(plain), *_BARE.findall(plain)):
                found.add(normal_address(match.replace("@[", "@").strip("[].-")))
                found.add(normal_address(match.strip("[].")))
    return found


def _without_comments(text: str) -> str:
    """The text without its comments, which may stand in each other (RFC 5322 section 3.2.2)."""
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
    """The text with its encoded words decoded as RFC 2047 has it; as it stands if one of them is wrong."""
    try:
        return str(make_header(decode_header(text.replace("\r", "").replace("\n", " "))))
    except (HeaderParseError, LookupError, ValueError):
        return text


def _decoded_by_word(text: str) -> tuple[str, str]:
    """The text with every encoded word decoded by itself, as lenient readers do.

    A wrong word hides no other one, a word may touch its neighbours, and a charset may name a language
    (RFC 2231 section 5). First with the space between two words taken out, as RFC 2047 has it, then with it.
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
    except (LookupError, ValueError):  # an unknown charset, or one that is none
        return raw.decode(errors="ignore")
