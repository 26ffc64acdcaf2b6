"""Decides what to show of a server's answer.

The answer to a sign-in may repeat the secret that was sent, in any form. So only its codes and
known words are shown. The full text is available on request on a terminal, and hidden there too
if it repeats a secret in a known form. Other answers are shown like any text of a server: see
:mod:`reconciler.mail.redaction`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.connection.failure import Stage
from reconciler.connection.sign_in_words import (
    RESPONSE_CODES,
    SCOPES,
    STATUSES,
    known_word,
)
from reconciler.mail.faults import ENTRA_CODE, Declined, Disconnected, ProtocolViolation, TokenFault
from reconciler.mail.redaction import HIDDEN, LIMIT

if TYPE_CHECKING:
    from reconciler.connection.context import FailureContext
    from reconciler.mail.redaction import Redactor

_STATUS: Final = re.compile(r"[245]\.[0-7]\.[0-9]{1,3}")
_CODES: Final = re.compile(r"[2-5][0-9]{2}|OK|NO|BAD|BYE")
_TOKEN: Final = re.compile(r"(?P<before>[(\[\"'<]*)(?P<word>.*?)(?P<after>[.,:;!?)\]\"'>]*)")
_SHORT: Final = 2
"""Letters of a word that is shown only near longer ones."""


class ServerAnswer(Struct, frozen=True):
    """A server's unmodified answer.

    ``code`` is that of :class:`reconciler.mail.faults.Reply`, ``challenge`` the JSON that a refused token
    is answered with, if any.
    """

    code: str
    text: str
    challenge: str = ""

    def whole(self) -> str:
        """Everything on one line."""
        return " ".join(part for part in (self.code, self.text, self.challenge) if part)


def answer_in(error: Exception) -> ServerAnswer | None:
    """Return the server's answer that an exception holds, None if there is none."""
    match error:
        case Declined(reply=reply, challenge=challenge):
            return ServerAnswer(reply.code, reply.text, challenge)
        case Disconnected(reply=reply) if reply is not None:
            return ServerAnswer(reply.code, reply.text)
        case ProtocolViolation(heard=heard) if heard:
            return ServerAnswer("", heard)
        case TokenFault(error=code, description=description) if code:
            return ServerAnswer("", f"{code}: {description}")
    return None


def shown(answer: ServerAnswer, where: FailureContext) -> str:
    """Return what every report may show of an answer."""
    if where.stage is not Stage.AUTHENTICATION:
        return where.show(answer.whole())
    words = _words(answer.text, where.redactor)
    code = answer.code if _CODES.fullmatch(answer.code) else ""
    status, scope = rejected_token(answer.challenge, where)
    status = f"(status {status})" if status and not where.redactor.holds(status) else ""
    parts = (code, words, status, scope)
    return " ".join(part for part in parts if part)[:LIMIT]


def rejected_token(challenge: str, where: FailureContext) -> tuple[str, str]:
    """Return the status and the scope of the answer to a rejected token (RFC 7628 section 3.2.2).

    Known scopes are those of providers and of the connector. Anything unknown, or not JSON, is "".
    """
    try:
        parsed = json.loads(challenge)
    except (ValueError, RecursionError):
        return "", ""
    said = parsed if isinstance(parsed, dict) else {}
    status, scope = str(said.get("status", "")), str(said.get("scope", ""))
    oauth2 = where.account.settings.oauth2
    known = SCOPES.union(oauth2.scopes if oauth2 is not None else ())
    named = scope in known and not where.redactor.holds(scope)
    return status if status in STATUSES else "", scope if named else ""


def _words(text: str, redactor: Redactor) -> str:
    """Keep the known words of a text that are not part of a secret, and replace the rest by "…".

    A word of one or two letters could be part of a secret, so it is kept only near longer ones.
    """
    kept = [_known(token, redactor) for token in text.replace(HIDDEN, "…").split()]
    lengths = [length for length, _ in kept]
    shown: list[str] = []
    for position, (length, token) in enumerate(kept):
        if length and _stands(lengths, position):
            shown.append(token)
        elif shown[-1:] != ["…"]:
            shown.append("…")
    return " ".join(shown)


def _stands(lengths: list[int], position: int) -> bool:
    """Whether a word is long, or a short one in a trusted place."""
    near = range(position - 2, position + 3)
    long = [0 <= place < len(lengths) and lengths[place] > _SHORT for place in near]
    match lengths[position]:
        case 1:
            return long[1] and long[3]
        case 2:
            return any(long)
    return True


def _known(token: str, redactor: Redactor) -> tuple[int, str]:
    """Return the length of a known word and how it is shown; 0 for one that is not known."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return 0, ""
    before, word, after = match["before"], match["word"], match["after"]
    if _STATUS.fullmatch(word) or ENTRA_CODE.fullmatch(word) or word in RESPONSE_CODES:
        spelled: str | None = word
    else:
        spelled = known_word(word)
    if spelled is None or redactor.holds(spelled):
        return 0, ""
    return len(word), f"{before[-1:]}{spelled}{after[:1]}"
