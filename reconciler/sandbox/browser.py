"""The sandbox's mailboxes in a browser: a web server on loopback that only reads."""

from __future__ import annotations

import asyncio
import hmac
import io
import re
import secrets
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from msgspec import Struct

from reconciler.sandbox import mail_pages
from reconciler.sandbox.listening import LOOPBACK, Conversation
from reconciler.sandbox.mail_pages import FolderLine, MailLine, PagePlace
from reconciler.sandbox.opened_mail import (
    headers_of,
    open_mail,
    with_pictures,
    without_connections,
)
from reconciler.sandbox.shelves import FolderShelf, StrayShelf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.sandbox.delivery import Store
    from reconciler.sandbox.html_text import Html
    from reconciler.sandbox.journal import SandboxLog
    from reconciler.sandbox.opened_mail import OpenedMail, ReceivedFile
    from reconciler.sandbox.shelves import Shelf

_PATIENCE: Final = 30.0
"""The time limit for receiving a request, in seconds."""

_MOST_LISTED: Final = 200
"""How many mails of a folder a page lists; each one's headers are read for it."""

_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox"
)
"""For the HTML of a mail (CSP level 3): no script, no form, and nothing from elsewhere, framed or not."""


class _Found(Struct, frozen=True):
    kind: str
    body: bytes
    policy: str = _PAGE_POLICY
    more: tuple[str, ...] = ()


class MailBrowser:
    """Answers GET and HEAD, for requests that name this server and the key that is in its address.

    The Host header is checked so that no web page can reach it through a name of its own (DNS rebinding), and the key
    keeps other users of the machine out.
    """

    def __init__(self, port: int, stores: Iterable[Store], journal: SandboxLog) -> None:
        self._stores = {store.mailbox.name: store for store in stores}
        self._journal = journal
        self._key = secrets.token_urlsafe(16)
        self._hosts = (f"{LOOPBACK}:{port}", f"localhost:{port}")

    @property
    def address(self) -> str:
        """The address to open. It is new for each run."""
        return f"http://{self._hosts[0]}/{self._key}/"

    def protocol(self, lost: asyncio.Event) -> asyncio.StreamReaderProtocol:
        """Make the protocol of a new connection, which sets ``lost`` when the connection is over."""
        return Conversation(self._converse, lost)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await self._answer(head))
            await writer.drain()
        except asyncio.LimitOverrunError:
            writer.write(_refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        except (OSError, EOFError, TimeoutError):
            pass  # the client disconnected early, or never finished its request
        except Exception as error:  # noqa: BLE001 - whatever it stumbled over, the others go on
            self._journal.note_fault("mail in the browser", error)
            writer.write(_refusal(HTTPStatus.INTERNAL_SERVER_ERROR))
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> bytes:
        """Judge a request by its first line and its Host (RFC 9112 sections 3 and 3.2)."""
        first, _, rest = head.partition(b"\r\n")
        try:
            method, target, version = first.decode("ascii").split(" ")
            hosts = parse_headers(io.BytesIO(rest)).get_all("Host", [])
        except (ValueError, HTTPException):
            return _refusal(HTTPStatus.BAD_REQUEST)
        if len(hosts) != 1 or not version.startswith("HTTP/1."):
            return _refusal(HTTPStatus.BAD_REQUEST)
        if hosts[0].strip().lower() not in self._hosts:
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST)
        if method not in ("GET", "HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Allow: GET, HEAD")
        key, *path = (
            unquote(part) for part in target.partition("?")[0].removeprefix("/").split("/")
        )
        found = None
        if hmac.compare_digest(key.encode(), self._key.encode()):
            found = await self._find(path)
        if found is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        answer = _written(found)
        return answer if method == "GET" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    async def _find(self, path: list[str]) -> _Found | None:
        match path:
            case [""]:
                return _page(mail_pages.overview(await self._lines()))
            case ["style.css"]:
                return _Found("text/css; charset=utf-8", mail_pages.STYLE.encode())
            case ["mailbox", name, folder, *rest] if name in self._stores:
                shelf = FolderShelf(self._stores[name], folder)
                link = self._link("mailbox", name, folder)
                return await self._on(
                    shelf, PagePlace(self._link(), f"{name}: {folder}", link), rest
                )
            case ["outside", *rest]:
                place = PagePlace(self._link(), mail_pages.OUTSIDE, self._link("outside"))
                return await self._on(StrayShelf(self._journal), place, rest)
            case _:
                return None

    async def _on(self, shelf: Shelf, place: PagePlace, rest: list[str]) -> _Found | None:
        if rest == [""]:
            numbers = await shelf.numbers()
            return None if numbers is None else _page(await self._listed(shelf, place, numbers))
        content = await shelf.content(_number(rest[0])) if rest else None
        if content is None:
            return None
        if rest[1:] == ["source"]:
            return _Found("text/plain; charset=utf-8", content)
        # A large mail takes a while; the mail servers continue meanwhile.
        mail = await asyncio.to_thread(open_mail, content)
        return _part(mail, place, f"{place.link}{rest[0]}/", rest[1:])

    async def _listed(self, shelf: Shelf, place: PagePlace, numbers: list[int]) -> Html:
        lines = []
        for number in sorted(numbers, reverse=True)[:_MOST_LISTED]:
            content = await shelf.content(number)
            if content is not None:
                lines.append(MailLine(f"{place.link}{number}/", headers_of(content)))
        return mail_pages.listing(place, lines, total=len(numbers))

    async def _lines(self) -> list[FolderLine]:
        lines = []
        for name, store in self._stores.items():
            for folder in await store.folder_names():
                numbers = await store.uids(folder) or []
                link = self._link("mailbox", name, folder)
                lines.append(FolderLine(name, folder, link, len(numbers)))
        strays = len(self._journal.strays)
        return [*lines, FolderLine(mail_pages.OUTSIDE, "", self._link("outside"), strays)]

    def _link(self, *path: str) -> str:
        """The path of a page, which ends in a slash and means the same on every page."""
        return "".join(f"/{quote(part, safe='')}" for part in (self._key, *path)) + "/"


def _part(mail: OpenedMail, place: PagePlace, link: str, path: list[str]) -> _Found | None:
    match path:
        case [""]:
            return _page(mail_pages.reading(place, link, mail))
        case ["html"] if mail.html is not None:
            text = with_pictures(without_connections(mail.html), mail.attachments)
            body = text.encode("utf-8", "replace")
            return _Found("text/html; charset=utf-8", body, _MAIL_POLICY)
        case ["attachment", which] if 1 <= _number(which) <= len(mail.attachments):
            return _download(mail.attachments[_number(which) - 1])
        case _:
            return None


def _number(text: str) -> int:
    """Return the number of a mail or attachment, counted from 1; 0 if invalid."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _page(page: Html) -> _Found:
    return _Found("text/html; charset=utf-8", page.encode())


def _download(attachment: ReceivedFile) -> _Found:
    """Have a browser save it and never show it: RFC 6266, the name also in ASCII for old clients."""
    plain = attachment.name.encode("ascii", "replace").decode().replace("?", "_")
    name = f"filename=\"{plain}\"; filename*=UTF-8''{quote(attachment.name, safe='')}"
    more = (f"Content-Disposition: attachment; {name}",)
    return _Found("application/octet-stream", attachment.content, more=more)


def _refusal(status: HTTPStatus, *more: str) -> bytes:
    text = f"{status.value} {status.phrase}\n".encode()
    return _written(_Found("text/plain; charset=utf-8", text, more=more), status)


def _written(found: _Found, status: HTTPStatus = HTTPStatus.OK) -> bytes:
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {found.kind}",
        f"Content-Length: {len(found.body)}",
        f"Content-Security-Policy: {found.policy}",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Resource-Policy: same-origin",
        "X-DNS-Prefetch-Control: off",
        "Cache-Control: no-store",
        "Connection: close",
        *found.more,
    )
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + found.body
