"""Opening the sessions of an account for sending, as live tests open theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from reconciler.connection.account_secrets import AccountSecrets
from reconciler.connection.context import FailureContext
from reconciler.connection.failure import ErrorClass
from reconciler.connection.session import SIGN_IN_STAGES
from reconciler.connection.smtp import SmtpAccountSession
from reconciler.errors import ReconcilerError, SendFailed
from reconciler.mail.faults import Cancelled, Declined, Reply
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from threading import Event

    from reconciler.connection.access import Access
    from reconciler.connection.account import Account
    from reconciler.connection.base import AccountSession
    from reconciler.connection.failure import Stage
    from reconciler.connection.imap import ImapAccountSession

A = TypeVar("A", bound="AccountSession")

_LATER = frozenset({ErrorClass.RATE_LIMITED, ErrorClass.QUOTA})


def called_off() -> SendFailed:
    """Return the error of a mail that was cancelled before it was handed to a server."""
    return SendFailed(
        "the mail was called off before it was handed over, so nothing was sent",
        temporary=True,
        hint="Send it again.",
    )


class ConnectorAccess:
    """Opens connections to one account of a connector, and explains failures.

    The deadline does not cover the whole mail: it is reset for each command.
    """

    def __init__(self, account: Account, access: Access) -> None:
        self.account = account
        self._access = access
        self._secrets = AccountSecrets(account, access)

    @property
    def timeout(self) -> float:
        """The time limit of a command, in seconds."""
        return self.account.connector.timeout_seconds or self._access.options.timeout

    @property
    def handover_seconds(self) -> float | None:
        """Seconds for handing over one mail, including its text and the answer; None for RFC 5321's."""
        return self._access.options.handover_seconds

    def smtp(self, cancelled: Event | None = None) -> SmtpAccountSession:
        """Connect and sign in; raises SendFailed, also when cancelled, or SecretError."""
        return self._opened(SmtpAccountSession, cancelled)

    def imap(self, cancelled: Event | None = None) -> ImapAccountSession:
        """Connect and sign in; raises SendFailed, also when cancelled, or SecretError."""
        from reconciler.connection.imap import ImapAccountSession  # noqa: PLC0415 - who sends many mails has it loaded

        return self._opened(ImapAccountSession, cancelled)

    def failure(self, error: Exception, stage: Stage) -> SendFailed:
        """Explain an exception, with the server's reply."""
        from reconciler.connection.diagnosis import classify, is_temporary  # noqa: PLC0415 - as below

        account = self.account
        proxy = self._access.options.bypassed_proxy(account.host, account.port)
        where = FailureContext(account, stage, self._secrets.redactor, bypassed_proxy=proxy)
        failure = classify(error, where)
        said = f" The server said: {failure.reply}" if failure.reply else ""
        by_smtp = account.protocol is Protocol.SMTP
        reply = error.reply if isinstance(error, Declined) and by_smtp else Reply("")
        if reply.code:  # RFC 5321 section 4.2.1: it decides, whatever the text is
            temporary = reply.code.startswith("4")
        else:
            later = failure.error_class.unreachable or failure.error_class in _LATER
            temporary = later or is_temporary(error, stage)
        return SendFailed(
            f"{failure.cause}{said}",
            temporary=temporary,
            code=reply.code,
            status=reply.status,
            hint=failure.remedy,
        )

    def show(self, text: str) -> str:
        """Make a server's text safe to show."""
        return self._secrets.redactor.show(text)

    def _opened(self, kind: type[A], cancelled: Event | None) -> A:
        session = kind(self.account, self._secrets, self._access.options, cancelled)
        try:
            session.open(SIGN_IN_STAGES)
        except Cancelled:
            session.close()
            raise called_off() from None
        except ReconcilerError:
            session.close()
            raise
        except BaseException as error:
            session.close()
            if not isinstance(error, Exception):
                raise
            failed = self.failure(error, session.stage)
            failed.before_mail = True
            raise failed from None
        return session
