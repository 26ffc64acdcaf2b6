"""Writing the audit of attempts to sign in, and the memory of where secrets went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.credential_use import CredentialUse
from reconciler.model.sign_in_attempt import AttemptOutcome, SignInAttempt
from reconciler.state import specs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from reconciler.state.sql.rows import Rows


def record_attempts(rows: Rows, attempts: Iterable[SignInAttempt]) -> None:
    """Add attempts."""
    rows.insert("attempts", map(_row, attempts))


def finish_attempts(rows: Rows, attempts: tuple[SignInAttempt, ...]) -> None:
    """Record how attempts ended, and remember where sign-ins succeeded."""
    rows.update_each(
        "attempts",
        "id",
        [
            {"id": item.id, "outcome": item.outcome.value, "error_class": item.error_class}
            for item in attempts
        ],
    )
    remember(
        rows,
        (
            (CredentialUse(item.reference, item.identity, item.destination), item.at)
            for item in attempts
            if item.outcome is AttemptOutcome.SIGNED_IN
        ),
    )


def remember(rows: Rows, uses: Iterable[tuple[CredentialUse, datetime]]) -> None:
    """Add the uses of secrets that are not remembered yet, with their times."""
    rows.insert_new("credential_uses", ({**specs.use_row(use), "at": at} for use, at in uses))


def _row(item: SignInAttempt) -> dict[str, Any]:
    place = item.destination
    return {
        "id": item.id,
        "at": item.at,
        "actor": item.actor,
        "actor_source": item.actor_source,
        "command": item.command,
        "connector": item.connector,
        "protocol": item.protocol,
        "reference": str(item.reference),
        "identity": item.identity,
        "host": place.host,
        "port": place.port,
        "security": place.security,
        "username": place.username,
        "outcome": item.outcome.value,
        "error_class": item.error_class,
    }
