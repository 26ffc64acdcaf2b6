"""What a failure is about: which half of which connector, at which stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.connection.account import Account
from reconciler.connection.failure import Stage


@dataclass(frozen=True, slots=True)
class FailureContext:
    """At which stage of testing what it happened; ``show`` makes a server's text fit to be shown."""

    account: Account
    stage: Stage
    show: Callable[[str], str]

    @property
    def names(self) -> dict[str, str]:
        """What causes and remedies may name."""
        account = self.account
        return {"host": account.host, "user": account.username, "address": account.address}
