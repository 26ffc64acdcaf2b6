"""The web server of the sandbox's token endpoints: one form and one JSON answer per connection."""

from __future__ import annotations

import asyncio
import io
import json
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from reconciler.sandbox.answer import Answer
from reconciler.sandbox.listening import Conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.sandbox.journal import SandboxLog

_PATIENCE = 30.0
"""The time limit for receiving a request, in seconds."""

_LARGEST = 64 * 1024
"""The largest form, in octets."""

_NO_REQUEST = Answer(400, {"error": "invalid_request", "error_description": "Post a form."})


class HttpService:
    """One host's web server; ``answer`` is called with the path and the form of each request."""

    def __init__(
        self, answer: Callable[[str, Mapping[str, str]], Answer], journal: SandboxLog
    ) -> None:
        self._answer = answer
        self._journal = journal

    def protocol(self, lost: asyncio.Event) -> asyncio.StreamReaderProtocol:
        """Make the protocol of a new connection, which sets ``lost`` when the connection is over."""
        return Conversation(self._converse, lost)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                request = await _read(reader)
            writer.write(_written(_NO_REQUEST if request is None else self._answer(*request)))
            await writer.drain()
        except (OSError, EOFError, TimeoutError):
            pass  # the client disconnected early, or never finished its request
        except Exception as error:  # noqa: BLE001 - whatever it stumbled over, the others go on
            self._journal.note_fault("HTTPS", error)
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> tuple[str, Mapping[str, str]] | None:
    """Return path and form of a request; None if it is not a form (RFC 9112)."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, target, _ = first.decode("ascii").split(" ")
        length = int(parse_headers(io.BytesIO(rest)).get("Content-Length", "0"))
        if method != "POST" or not 0 <= length <= _LARGEST:
            return None
        form = (await reader.readexactly(length)).decode("utf-8")
        return urlsplit(target).path, dict(parse_qsl(form, keep_blank_values=True))
    except (ValueError, HTTPException, asyncio.LimitOverrunError):
        return None


def _written(answer: Answer) -> bytes:
    body = json.dumps(answer.document).encode()
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        "Content-Type: application/json\r\n"
        "Cache-Control: no-store\r\n"  # RFC 6749 section 5.1
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
