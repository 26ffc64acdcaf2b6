"""Observations of a server during a test: properties that can change unnoticed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    ShowAll = Callable[[Iterable[str]], tuple[str, ...]]

_NAME: Final = re.compile(r"[!-~]{1,64}")
_MOST: Final = 100
"""The maximum number of names of one kind; servers have far fewer."""

_REGISTERED: Final = """
    ANONYMOUS CRAM-MD5 DIGEST-MD5 EXTERNAL GSSAPI LOGIN NTLM OAUTHBEARER PLAIN PLAIN-CLIENTTOKEN SCRAM-SHA-1
    SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS XOAUTH2
    8BITMIME AUTH BINARYMIME BURL CHUNKING DELIVERBY DSN ENHANCEDSTATUSCODES ETRN FUTURERELEASE HELP LIMITS
    MT-PRIORITY NO-SOLICITING PIPELINING REQUIRETLS RRVS SIZE SMTPUTF8 STARTTLS VRFY
    ACL APPENDLIMIT BINARY CATENATE CHILDREN COMPRESS=DEFLATE CONDSTORE CONTEXT=SEARCH CONTEXT=SORT
    CREATE-SPECIAL-USE ENABLE ESEARCH ESORT FILTERS I18NLEVEL=1 I18NLEVEL=2 ID IDLE IMAP4 IMAP4REV1 IMAP4REV2
    INPROGRESS LANGUAGE LIST-EXTENDED LIST-METADATA LIST-MYRIGHTS LIST-STATUS LITERAL+ LITERAL-
    LOGIN-REFERRALS LOGINDISABLED MAILBOX-REFERRALS METADATA METADATA-SERVER MOVE MULTIAPPEND MULTISEARCH
    NAMESPACE NOTIFY OBJECTID PARTIAL PREVIEW QRESYNC QUOTA QUOTASET REPLACE RIGHTS= SASL-IR SAVEDATE
    SEARCH=FUZZY SEARCHRES SORT SORT=DISPLAY SPECIAL-USE STATUS=SIZE THREAD=ORDEREDSUBJECT THREAD=REFERENCES
    UIDONLY UIDPLUS UNAUTHENTICATE UNSELECT URL-PARTIAL URLAUTH UTF8=ACCEPT WITHIN X-GM-EXT-1 XLIST
"""

KNOWN: Final = frozenset(_REGISTERED.split())
"""Registered mechanisms and extensions: shown even if a password happens to contain such a word."""


class Observed(Struct, frozen=True, kw_only=True):
    """What a server offers before the sign-in.

    ``tls_version`` and ``certificate_issuer`` are empty, and ``certificate_expires`` (in UTC) is None,
    without TLS. ``mechanisms`` are the ways to sign in and ``capabilities`` everything else, each sorted.
    ``size_limit`` is in octets (RFC 1870), None if the server announces none.
    """

    tls_version: str = ""
    certificate_issuer: str = ""
    certificate_expires: datetime | None = None
    mechanisms: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    size_limit: int | None = None


class Offer(Struct, frozen=True):
    """Mechanisms, other capabilities and the size limit, as a server has just listed them."""

    mechanisms: tuple[str, ...]
    capabilities: frozenset[str]
    size_limit: int | None = None


def fit(words: Iterable[str], show_all: ShowAll) -> tuple[str, ...]:
    """Keep the server's words that are names and may be shown together, in order."""
    kept = [word for word in words if word in KNOWN or _NAME.fullmatch(word)]
    unknown = [word for word in kept if word not in KNOWN]
    showable = {
        word for word, shown in zip(unknown, show_all(unknown), strict=True) if shown == word
    }
    return tuple(word for word in kept if word in KNOWN or word in showable)


def names(words: Iterable[str], show_all: ShowAll) -> tuple[str, ...]:
    """Sort the words that :func:`fit` keeps."""
    return fit(sorted(set(words)), show_all)[:_MOST]
