"""What a failure is about: which account, and at which stage."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.connection.account import Account
from reconciler.connection.failure import Stage
from reconciler.mail.redaction import Redactor


@dataclass(frozen=True, slots=True)
class FailureContext:
    """The account and the stage at which something failed, and what makes a server's text fit to be shown.

    With ``server_text``, a failure keeps the server's text as well. ``bypassed_proxy`` is the variable that
    names a web proxy which is not used for mail servers, empty if there is none.
    """

    account: Account
    stage: Stage
    redactor: Redactor
    server_text: bool = False
    bypassed_proxy: str = ""

    def show(self, text: str) -> str:
        """Make a server's text fit to be shown."""
        return self.redactor.show(text)

    @property
    def names(self) -> dict[str, str]:
        """What causes and remedies may name."""
        account = self.account
        user = account.username or "this machine"
        return {"host": account.shown_host, "user": user, "address": account.address}
