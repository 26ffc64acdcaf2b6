"""Getting at the servers of a connector, in the way in which the live tests do it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from reconciler.connection.base import sign_in
from reconciler.connection.context import FailureContext
from reconciler.connection.diagnosis import classify, is_temporary
from reconciler.connection.failure import ErrorClass, Protocol, Stage
from reconciler.connection.imap import ImapAccountSession
from reconciler.connection.options import ProbeOptions
from reconciler.connection.sign_in import SignIn
from reconciler.connection.smtp import SmtpAccountSession
from reconciler.errors import ReconcilerError, SendFailed
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Declined, Reply
from reconciler.mail.oauth import TokenSource
from reconciler.secrets.base import SecretResolver

if TYPE_CHECKING:
    from reconciler.connection.account import Account

A = TypeVar("A", SmtpAccountSession, ImapAccountSession)

_LATER = frozenset({ErrorClass.RATE_LIMITED, ErrorClass.QUOTA})


@dataclass(frozen=True, slots=True)
class Access:
    """What signing in takes. The options' ``timeout`` is that of one connection, or of one command."""

    resolver: SecretResolver
    tokens: TokenSource
    options: ProbeOptions


class ConnectorAccess:
    """Opens connections to one half of a connector, and says what its failures mean.

    A deadline is not a stopwatch for the whole mail: it is set anew for each command by who sends one.
    """

    def __init__(self, account: Account, access: Access) -> None:
        self.account = account
        self._access = access
        self._sign_in = SignIn(account, access.resolver, access.options, access.tokens)

    @property
    def timeout(self) -> float:
        """Seconds that a command may take."""
        return self._access.options.timeout

    def smtp(self) -> SmtpAccountSession:
        """Connect and sign in; raises SendFailed, or SecretError."""
        return self._opened(SmtpAccountSession)

    def imap(self) -> ImapAccountSession:
        """Connect and sign in; raises SendFailed, or SecretError."""
        return self._opened(ImapAccountSession)

    def failure(self, error: Exception, stage: Stage) -> SendFailed:
        """What an exception means, with what the server said."""
        failure = classify(error, FailureContext(self.account, stage, self._sign_in.redactor.show))
        said = f" The server said: {failure.reply}" if failure.reply else ""
        by_smtp = self.account.protocol is Protocol.SMTP
        reply = error.reply if isinstance(error, Declined) and by_smtp else Reply("")
        temporary = (
            failure.error_class.unreachable
            or failure.error_class in _LATER
            or is_temporary(error, stage)
        )
        return SendFailed(
            f"{failure.cause}{said}",
            temporary=temporary,
            code=reply.code,
            status=reply.status,
            hint=failure.remedy,
        )

    def show(self, text: str) -> str:
        """A server's text, fit to be shown."""
        return self._sign_in.redactor.show(text)

    def _opened(self, kind: type[A]) -> A:
        deadline = Deadline(self.timeout)
        credential = partial(self._sign_in.credential, deadline)
        attempt = kind(self.account, self._access.options, deadline, credential)
        reached = [Stage.SECRET]
        try:
            self._sign_in.prepare()
            sign_in(attempt, reached.append)
        except ReconcilerError:
            attempt.close()
            raise
        except BaseException as error:
            attempt.close()
            if not isinstance(error, Exception):
                raise
            raise self.failure(error, reached[-1]) from None
        return attempt
