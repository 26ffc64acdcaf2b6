"""An attempt to sign in: a secret and its destination, recorded before the connection."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.credential_use import Destination
    from reconciler.model.secret_ref import SecretRef


class AttemptOutcome(StrEnum):
    """How an attempt ended.

    ``started`` has no recorded end: the process was killed, or could not write. ``not_sent`` ended before
    the sign-in, so that no secret left; ``failed`` ended in it, so that the secret may have been delivered.
    """

    STARTED = "started"
    SIGNED_IN = "signed_in"
    FAILED = "failed"
    NOT_SENT = "not_sent"


class SignInAttempt(Struct, frozen=True, kw_only=True):
    """One reference that is sent to one destination.

    ``command`` is the one that was run, such as ``apply`` or ``plan --test``. ``identity`` is the
    canonical spelling of the reference. ``error_class`` says why it failed. ``id`` is unique and sorts
    by time.
    """

    id: str
    at: datetime
    actor: str
    actor_source: str
    command: str
    connector: str
    protocol: str
    reference: SecretRef
    identity: str
    destination: Destination
    outcome: AttemptOutcome = AttemptOutcome.STARTED
    error_class: str = ""


class AttemptFilter(Struct, frozen=True):
    """A filter of attempts; None or "" matches anything, and all fields must match."""

    since: datetime | None = None
    connector: str = ""
    outcome: AttemptOutcome | None = None

    def matches(self, attempt: SignInAttempt) -> bool:
        """Whether an attempt matches."""
        return (
            (self.since is None or attempt.at >= self.since)
            and self.connector in ("", attempt.connector)
            and self.outcome in (None, attempt.outcome)
        )


EVERY_ATTEMPT = AttemptFilter()
"""Filters nothing out."""
