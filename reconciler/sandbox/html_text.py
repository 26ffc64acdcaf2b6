"""The one place where the sandbox's pages are put together, so that it is the one place that escapes."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Html(str):
    """Text that is HTML already. Only :func:`fill` and :func:`joined` make it, from constants and from itself."""

    __slots__ = ()


def fill(template: str, **values: str | int) -> Html:
    """Put values into a constant template; every value that is not HTML itself is escaped.

    A template quotes its attributes, since the escaping holds inside quotes only. Lone surrogates,
    which a mail that is not UTF-8 leaves in a text, become question marks.
    """
    safe = {
        name: value if isinstance(value, Html) else html.escape(_encodable(str(value)), quote=True)
        for name, value in values.items()
    }
    return Html(template.format(**safe))


def joined(parts: Iterable[Html]) -> Html:
    """Return several pieces of HTML as one."""
    return Html("".join(parts))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
