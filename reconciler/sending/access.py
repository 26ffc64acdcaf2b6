"""Getting at the servers of a connector, in the way in which the live tests do it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from reconciler.errors import ReconcilerError, SendFailed
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Declined, Reply
from reconciler.mail.oauth import TokenSource
from reconciler.probe.attempt import Skip
from reconciler.probe.classify import classify, is_temporary
from reconciler.probe.imap import ImapAttempt
from reconciler.probe.options import ProbeOptions
from reconciler.probe.result import ErrorClass, Protocol, Stage
from reconciler.probe.sign_in import SignIn
from reconciler.probe.smtp import SmtpAttempt
from reconciler.probe.where import Where
from reconciler.secrets.base import SecretResolver

if TYPE_CHECKING:
    from reconciler.probe.half import Half

A = TypeVar("A", SmtpAttempt, ImapAttempt)

_AFTER_SIGN_IN = (Stage.MAILBOX, Stage.ENVELOPE)
_LATER = frozenset({ErrorClass.RATE_LIMITED, ErrorClass.QUOTA})


@dataclass(frozen=True, slots=True)
class Access:
    """What signing in takes. The options' ``timeout`` is that of one connection, or of one command."""

    resolver: SecretResolver
    tokens: TokenSource
    options: ProbeOptions


class Door:
    """Opens connections to one half of a connector, and says what its failures mean.

    A deadline is not a stopwatch for the whole mail: it is set anew for each command by who sends one.
    """

    def __init__(self, half: Half, access: Access) -> None:
        self.half = half
        self._access = access
        self._sign_in = SignIn(half, access.resolver, access.options, access.tokens)

    @property
    def timeout(self) -> float:
        """Seconds that a command may take."""
        return self._access.options.timeout

    def smtp(self) -> SmtpAttempt:
        """Connect and sign in; raises SendFailed, or SecretError."""
        return self._opened(SmtpAttempt)

    def imap(self) -> ImapAttempt:
        """Connect and sign in; raises SendFailed, or SecretError."""
        return self._opened(ImapAttempt)

    def failure(self, error: Exception, stage: Stage) -> SendFailed:
        """What an exception means, with what the server said."""
        failure = classify(error, Where(self.half, stage, self._sign_in.discretion.show))
        said = f" The server said: {failure.reply}" if failure.reply else ""
        by_smtp = self.half.protocol is Protocol.SMTP
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
        return self._sign_in.discretion.show(text)

    def _opened(self, kind: type[A]) -> A:
        deadline = Deadline(self.timeout)
        credential = partial(self._sign_in.credential, deadline)
        attempt = kind(self.half, self._access.options, deadline, credential)
        stage = Stage.SECRET
        try:
            self._sign_in.prepare()
            for stage, step in attempt.stages:
                if stage not in _AFTER_SIGN_IN:
                    with suppress(Skip):
                        step()
        except ReconcilerError:
            attempt.close()
            raise
        except BaseException as error:
            attempt.close()
            if not isinstance(error, Exception):
                raise
            raise self.failure(error, stage) from None
        return attempt
