"""Finds the folder for sent mail: configured, marked by the server, or by a well-known name."""

from __future__ import annotations

import unicodedata
from difflib import SequenceMatcher
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

SENT_FLAG = "\\SENT"
"""The special-use attribute of RFC 6154, in upper case."""

# In search order: English first, then other languages of mail programs and providers. Compared
# case-insensitively.
_NAMES = (
    "Sent",
    "Sent Items",
    "Sent Messages",
    "Sent Mail",
    "Gesendet",
    "Gesendete Elemente",
    "Gesendete Objekte",
    "Gesendete Nachrichten",
    "Éléments envoyés",
    "Messages envoyés",
    "Envoyés",
    "Elementos enviados",
    "Mensajes enviados",
    "Enviados",
    "Itens enviados",
    "Mensagens enviadas",
    "Enviadas",
    "Posta inviata",
    "Inviata",
    "Inviati",
    "Elementi inviati",
    "Verzonden",
    "Verzonden items",
    "Verzonden berichten",
    "Skickat",
    "Skickade objekt",
    "Skickade meddelanden",
    "Sendte elementer",
    "Sendt",
    "Sendt post",
    "Sendte",
    "Lähetetyt",
    "Lähetetyt kohteet",
    "Wysłane",
    "Elementy wysłane",
    "Odeslané",
    "Odeslaná pošta",
    "Odoslané",
    "Odoslaná pošta",
    "Elküldött elemek",
    "Elküldött",
    "Trimise",
    "Elemente trimise",
    "Poslano",
    "Poslane stavke",
    "Изпратени",
    "Отправленные",
    "Надіслані",
    "Απεσταλμένα",
    "Gönderilmiş Öğeler",
    "Gönderilmiş Postalar",
    "Gönderilenler",
    "送信済み",
    "送信済みアイテム",
    "送信済みメール",
    "已发送",
    "已发送邮件",
    "已傳送",
    "寄件備份",
    "보낸편지함",
    "보낸 편지함",
    "Đã gửi",
    "Thư đã gửi",
    "Terkirim",
    "דואר שנשלח",
    "البريد المرسل",
    "العناصر المرسلة",
)
_SEPARATORS = ("/", ".", "\\")
"""Delimiters that people use in names, whatever the server's is."""

_INBOX = "INBOX"


def _canonical(name: str) -> str:
    """The normalised spelling of a name: in NFC, and with INBOX in upper case (RFC 9051 section 5.1)."""
    name = unicodedata.normalize("NFC", name)
    top = name[: len(_INBOX)]
    ends = not name[len(top) : len(top) + 1].isalnum()
    return _INBOX + name[len(top) :] if ends and top.upper() == _INBOX else name


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


_RANK = {_plain(name): position for position, name in reversed(tuple(enumerate(_NAMES)))}


_UNKNOWN = len(_NAMES)
"""The rank of any other name."""


class Listed(Protocol):
    """A folder as a server lists it."""

    @property
    def name(self) -> str: ...  # noqa: D102 - the whole name, with the folders above it
    @property
    def delimiter(self) -> str: ...  # noqa: D102 - between the levels of a name; "" if there are none
    @property
    def flags(self) -> frozenset[str]: ...  # noqa: D102 - in upper case
    @property
    def selectable(self) -> bool: ...  # noqa: D102 - whether it can hold messages


class Namespaces(Struct, frozen=True):
    """Prefixes of folder names (RFC 2342): of the user's own folders, and of those of other people."""

    own: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    def owns(self, name: str) -> bool:
        """Whether a folder is the user's own: the longest prefix that its name begins with decides."""
        name = _canonical(name)
        own, foreign = (
            max((len(item) for item in map(_canonical, some) if name.startswith(item)), default=0)
            for some in (self.own, self.foreign)
        )
        return own >= foreign


NO_NAMESPACES = Namespaces()
"""Those of a server without the extension."""


class SentBy(StrEnum):
    """Why a folder was chosen for sent mail."""

    SETTING = "sent_folder names it"
    MARK = "the server marks it \\Sent"
    NAME = "it has a well-known name"


def find_sent(
    folders: Iterable[Listed], namespaces: Namespaces = NO_NAMESPACES, desired: str | None = None
) -> str | None:
    """Return the name of the folder for sent copies, or None."""
    found = choose_sent(folders, namespaces, desired)
    return None if found is None else found[0]


def choose_sent(
    folders: Iterable[Listed], namespaces: Namespaces = NO_NAMESPACES, desired: str | None = None
) -> tuple[str, SentBy] | None:
    """Return the name of the folder for sent copies, as the server spells it, and why; or None.

    If ``desired`` is given, only that one. Otherwise the folder that the server marks: of several, the
    one with the best-known name, then the one nearest the top, since a server without name spaces may
    list other users' folders too. Otherwise the first well-known name at the top level or directly
    below a prefix. Only the user's own folders are searched, because a copy in somebody else's Sent
    would show them the mail.
    """
    usable = [folder for folder in folders if folder.selectable]
    if desired is not None:
        named = _named(usable, namespaces, desired)
        return None if named is None else (named, SentBy.SETTING)
    own = [item for item in usable if namespaces.owns(item.name)]
    marked = [item for item in own if SENT_FLAG in item.flags]
    if marked:
        best = min(marked, key=lambda item: (_rank(item, namespaces), _depth(item)))
        return best.name, SentBy.MARK
    known = [(rank, item.name) for item in own if (rank := _rank(item, namespaces)) < _UNKNOWN]
    return (min(known)[1], SentBy.NAME) if known else None


def _rank(folder: Listed, namespaces: Namespaces) -> int:
    """Return how well known its name is at the top level or directly below a prefix: less is better."""
    name = _canonical(folder.name)
    heads = (head for head in _heads(folder, namespaces) if name.startswith(head))
    return min((_RANK.get(_plain(name[len(head) :]), _UNKNOWN) for head in heads), default=_UNKNOWN)


def _depth(folder: Listed) -> int:
    return folder.name.count(folder.delimiter) if folder.delimiter else 0


def nearest(names: Iterable[str], desired: str | None, limit: int) -> tuple[str, ...]:
    """Return at most ``limit`` names: those most similar to ``desired``, else the first."""
    if desired is None:
        return tuple(names)[:limit]
    wish = _plain(desired)
    by_likeness = sorted(names, key=lambda name: -SequenceMatcher(None, wish, _plain(name)).ratio())
    return tuple(by_likeness[:limit])


def _heads(folder: Listed, namespaces: Namespaces) -> set[str]:
    """Return the possible prefixes of a top-level folder, which always include ""."""
    heads = {"", *map(_canonical, namespaces.own)}
    return heads | {f"{_INBOX}{folder.delimiter}"} if folder.delimiter else heads


def _named(folders: list[Listed], namespaces: Namespaces, desired: str) -> str | None:
    """Return the folder that people mean by a name.

    In this order: the name itself; the name below a prefix of the user's own; both also with the
    server's delimiter in place of another.
    """
    wish = _canonical(desired)
    for separators in ((), _SEPARATORS):
        for below in (False, True):
            for item in folders:
                name = wish
                for separator in separators if item.delimiter else ():
                    name = name.replace(separator, item.delimiter)
                heads = _heads(item, namespaces) if below else {""}
                if _canonical(item.name) in {head + name for head in heads}:
                    return item.name
    return None
