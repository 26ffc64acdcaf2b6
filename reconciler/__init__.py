"""Email connectors as code: validate, plan, test live and apply mail accounts kept as YAML in git.

Applications send through what was applied with :class:`Mailer`, a :class:`Message` or a
:class:`RawMessage` and :class:`Attachment`; these are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.app.mailer import Mailer
    from reconciler.sending.message import Attachment, Message, RawMessage

__all__ = ["Attachment", "Mailer", "Message", "RawMessage", "__version__"]

__version__ = "0.1.0"

_PLACES = {
    "Mailer": "reconciler.app.mailer",
    "Message": "reconciler.sending.message",
    "RawMessage": "reconciler.sending.message",
    "Attachment": "reconciler.sending.message",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - the command line never needs it

    return getattr(import_module(_PLACES[name]), name)
