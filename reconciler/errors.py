"""The failures of the program, as exceptions. Problems of the configuration are values instead.

The tree, with the exit code that :mod:`reconciler.cli.exit_codes` gives each::

    ReconcilerError                     1
    ├── UsageError                     64
    │   └── NoSuchUser                 64   a recipient without a domain
    ├── ConfigurationInvalid            3
    │   └── BaseInvalid                 3   the commit that a plan is compared with
    ├── GitFailed                       1   not installed, not a repository
    ├── NoProject                       3   nowhere, or of somebody else
    ├── SecretError                     4
    ├── StateError                      1
    │   ├── StateUnavailable            1   no file, no permission, disk full
    │   │   └── CommitUnknown           1   the connection broke off within a commit
    │   ├── StateCorrupt                1   not a state, or damaged
    │   ├── StateTooNew                 1   written by a newer release
    │   ├── StateConflict               1   somebody else committed in between
    │   └── StateLocked                 7
    ├── PlanRefused                     5   limits, protection, approval
    ├── PlanStale                       6
    ├── NotAuthorised                   8
    ├── TestsFailed                   4|9   rejected, or not reachable
    │   └── LoginFailed               4|9   likewise, of a login
    ├── RouteRefused                    1
    ├── SendFailed                 1|75   75 if a new attempt may succeed
    │   ├── AccountBusy               75   at the limits of its provider
    │   ├── SomeRefused               75   a mail for all or none (reconciler.sending.outcome)
    │   └── DeliveryUncertain          1   it may have been delivered
    └── SandboxError                    1
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.diagnostics import Diagnostic


class ReconcilerError(Exception):
    """A failure that is shown to the user as a sentence, never as a traceback.

    ``message`` says what went wrong and ``hint`` what to do about it; neither ever holds a secret.
    ``connector`` is the route of a failed mail, if it had one.
    """

    connector = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ReconcilerError):
    """The command line is invalid."""


class NoSuchUser(UsageError):
    """A recipient without a domain: a local mailbox, to which nothing here delivers."""


class ConfigurationInvalid(ReconcilerError):
    """The configuration has errors; ``diagnostics`` holds all of them."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("the configuration is not valid")
        self.diagnostics = tuple(diagnostics)


class BaseInvalid(ConfigurationInvalid):
    """The configuration of the commit that a plan is compared with has errors."""

    def __init__(self, ref: str, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.message = f"the configuration of {ref} is not valid"
        self.args = (self.message,)


class GitFailed(ReconcilerError):
    """git is not installed, finds no repository, or could not read it."""


class NoProject(ReconcilerError):
    """There is no project, or it belongs to another user."""


class SecretError(ReconcilerError):
    """A reference could not be resolved: it leads nowhere, or may not be read."""


class StateError(ReconcilerError):
    """The stored state could not be read or written."""


class StateUnavailable(StateError):
    """The state cannot be reached or written: wrong place, no permission, no space."""


class CommitUnknown(StateUnavailable):
    """The connection was lost during a commit: the revision may or may not be written."""


class StateCorrupt(StateError):
    """The file or database is not a state, or is damaged."""


class StateTooNew(StateError):
    """The state was written by a newer release than this one."""


class StateConflict(StateError):
    """The state has changed since it was read; nothing was written, and retrying is safe."""


class StateLocked(StateError):
    """Somebody else holds the lock; the message names them."""


class PlanRefused(ReconcilerError):
    """A limit, a protection or a missing approval stops the apply of a plan."""


class PlanStale(ReconcilerError):
    """A saved plan no longer describes what would happen."""


class NotAuthorised(ReconcilerError):
    """The actor may not make one of the changes."""


class TestsFailed(ReconcilerError):
    """A live test failed, so nothing was applied.

    ``rejected`` is true if a server rejected a connector; false if none could be reached.
    """

    __test__ = False  # not a test case, whatever pytest makes of the name

    def __init__(self, message: str, *, rejected: bool, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rejected = rejected


class LoginFailed(TestsFailed):
    """A login failed: access was not granted, or the server could not be reached."""


class RouteRefused(ReconcilerError):
    """No connector may carry this mail for this sender."""


class SendFailed(ReconcilerError):
    """The server accepted the mail for none of its recipients.

    ``temporary`` is true if a new attempt may succeed and can do no harm. ``code`` and
    ``status`` are the server's reply code and enhanced status code, if any. ``before_mail`` is
    true if the connection or the sign-in failed: no server has seen the mail, and a queue may
    keep it until that is fixed.
    """

    def __init__(
        self,
        message: str,
        *,
        temporary: bool,
        code: str = "",
        status: str = "",
        hint: str = "",
        before_mail: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.temporary = temporary
        self.code = code
        self.status = status
        self.before_mail = before_mail


class DeliveryUncertain(SendFailed):
    """The mail was transmitted, but the server did not confirm it.

    It may have been delivered, so nothing resends it automatically.
    """


class AccountBusy(SendFailed):
    """An account is at its provider's limits, and the mail's turn did not come in time.

    Nothing was transmitted. ``status`` is 4.4.5, congestion (RFC 3463 section 3.5).
    """


class SandboxError(ReconcilerError):
    """The sandbox could not be started."""
