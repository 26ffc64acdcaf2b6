"""Makes the session of an account, and lists the stages up to the sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.connection.failure import Stage
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from threading import Event

    from reconciler.connection.account import Account
    from reconciler.connection.account_secrets import AccountSecrets
    from reconciler.connection.base import AccountSession
    from reconciler.connection.options import ProbeOptions
    from reconciler.mail.deadline import Deadline

SIGN_IN_STAGES: Final = (
    Stage.SECRET,
    Stage.DNS,
    Stage.TCP,
    Stage.TLS,
    Stage.CAPABILITIES,
    Stage.AUTHENTICATION,
)
"""The stages up to the sign-in, as for sending, without those of tests."""


def new_session(
    account: Account,
    secrets: AccountSecrets,
    options: ProbeOptions,
    cancelled: Event | None = None,
    deadline: Deadline | None = None,
) -> AccountSession:
    """Make a session for the protocol of the account; :meth:`AccountSession.open` connects it."""
    if account.protocol is Protocol.IMAP:
        from reconciler.connection.imap import ImapAccountSession  # noqa: PLC0415 - SMTP needs no imapclient

        return ImapAccountSession(account, secrets, options, cancelled, deadline)
    from reconciler.connection.smtp import SmtpAccountSession  # noqa: PLC0415 - IMAP needs no smtplib

    return SmtpAccountSession(account, secrets, options, cancelled, deadline)
