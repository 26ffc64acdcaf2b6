"""Which folder holds sent mail: what is set, what the server marks, what it is called around the world."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

SENT_FLAG = "\\SENT"
"""The special-use attribute of RFC 6154, in upper case."""

# In the order in which they are looked for: English first, then other languages of mail programs and
# providers. Compared without regard to case.
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
_RANK = {name.casefold(): position for position, name in reversed(tuple(enumerate(_NAMES)))}


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


class SentBy(StrEnum):
    """Why a folder is taken for the one of sent mail."""

    SETTING = "sent_folder names it"
    MARK = "the server marks it \\Sent"
    NAME = "it has a well-known name"


def find_sent(
    folders: Iterable[Listed], prefixes: Iterable[str], wanted: str | None = None
) -> str | None:
    """The name of the folder for sent copies, or None."""
    found = choose_sent(folders, prefixes, wanted)
    return None if found is None else found[0]


def choose_sent(
    folders: Iterable[Listed], prefixes: Iterable[str], wanted: str | None = None
) -> tuple[str, SentBy] | None:
    """The name of the folder for sent copies and why it is that one, or None.

    ``wanted``, if given, is the only one that counts. Otherwise the one that the server marks, else the
    first well-known name at the top level or directly below one of the ``prefixes`` of our name spaces.
    """
    usable = [folder for folder in folders if folder.selectable]
    if wanted is not None:
        named = next((item.name for item in usable if item.name == wanted), None)
        return None if named is None else (named, SentBy.SETTING)
    marked = next((item.name for item in usable if SENT_FLAG in item.flags), None)
    if marked is not None:
        return marked, SentBy.MARK
    heads = {"", *prefixes}
    heads |= {f"INBOX{item.delimiter}" for item in usable if item.delimiter}
    known = [
        (rank, item.name)
        for item in usable
        for head in heads
        if item.name.startswith(head)
        and (rank := _RANK.get(item.name[len(head) :].casefold())) is not None
    ]
    return (min(known)[1], SentBy.NAME) if known else None
