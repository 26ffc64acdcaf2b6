"""The recipients that a provider has recently refused: SMTP has no answer for each of them after the text of a mail.

A mail that is refused for some recipients is first sent to none. When the client retries, those are
refused individually, with the provider's reply, and the others get it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.sending.addresses import read_addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.sending.outcome import RefusedRecipient

KEPT: Final = 7200.0
"""Seconds: queues try again within an hour or so (RFC 5321 section 4.5.4.1 asks for half an hour)."""

_MOST: Final = 10_000


class MailOrigin(Struct, frozen=True):
    """The origin of a mail, as far as it affects which recipients are refused."""

    application: str
    mail_from: str
    serial: int


class KnownRefusals:
    """Remembers a limited number of refusals by origin and recipient. Threads share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn = threading.Lock()
        self._known: dict[tuple[MailOrigin, str], tuple[RefusedRecipient, float]] = {}

    def learn(
        self, origin: MailOrigin, recipients: Iterable[str], refused: Iterable[RefusedRecipient]
    ) -> None:
        """Remember a provider's answer; ``recipients`` are all of the mail's, as the client wrote them."""
        refusals = {item.recipient: item for item in refused}
        with self._turn:
            for recipient in recipients:
                (written,) = read_addresses((recipient,), "RCPT")
                if (found := refusals.get(written.addr_spec)) is None:
                    continue
                self._known.pop((origin, recipient), None)  # the newest comes last
                self._known[origin, recipient] = found, self._clock() + KEPT
            while len(self._known) > _MOST:
                del self._known[next(iter(self._known))]

    def of(self, origin: MailOrigin, recipient: str) -> RefusedRecipient | None:
        """Return the refusal of a recipient, if one is known.

        A temporary one counts only once, since it may be over.
        """
        key = origin, recipient
        with self._turn:
            found, until = self._known.get(key, (None, 0.0))
            is_over = self._clock() >= until
            if found is not None and (is_over or found.temporary):
                del self._known[key]
        return None if is_over else found
