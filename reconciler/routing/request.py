"""The router's request and its two possible answers."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from reconciler.routing.reason import Reason, RefusalReason


class RouteRequest(Struct, frozen=True, kw_only=True):
    """A request to send a mail.

    ``actor`` is who sends, ``sender`` the requested From address, ``connector`` the requested
    connector; a request may name a sender, a connector, both or neither.
    """

    actor: str
    sender: str | None = None
    connector: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The connector that carries a mail, and the addresses in the mail.

    ``from_address`` is both the envelope sender and From. ``reply_to`` and ``original_from`` are
    the header fields to set, if any. ``steps`` are the decisions in order, each a sentence;
    ``warnings`` say what recipients' servers may object to. ``asked`` is the connector that the request names,
    or whose address its sender is; empty if there is none.
    """

    connector: str
    from_address: str
    reply_to: str | None
    original_from: str | None
    save_to_sent_items: bool | None
    reason: Reason
    steps: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    asked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refused mail: why, in a sentence, after the decisions that led to it."""

    reason: RefusalReason
    sentence: str
    steps: tuple[str, ...] = ()
