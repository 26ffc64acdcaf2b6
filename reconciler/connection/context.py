"""What a failure is about: which account, and at which stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from reconciler.connection.account import Account
    from reconciler.connection.failure import Stage
    from reconciler.mail.redaction import Redactor


class FailureContext(Struct, frozen=True):
    """The account and the stage of a failure, and the redactor for the server's text.

    With ``server_text``, a failure keeps the server's full text. ``bypassed_proxy`` is the
    variable that names a web proxy, which mail connections bypass; empty if none.
    """

    account: Account
    stage: Stage
    redactor: Redactor
    server_text: bool = False
    bypassed_proxy: str = ""

    def show(self, text: str) -> str:
        """Redact a server's text for display."""
        return self.redactor.show(text)

    @property
    def names(self) -> dict[str, str]:
        """The placeholders of causes and remedies."""
        account = self.account
        user = account.username or "this machine"
        return {"host": account.shown_host, "user": user, "address": account.address}
