"""The exit codes, and the one place that turns an exception into one of them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from reconciler import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.probe.result import ConnectorResult


class ExitCode(IntEnum):
    """The exit codes. Pipelines branch on them; their meaning never changes."""

    OK = 0
    FAILED = 1
    CHANGES_PENDING = 2
    CONFIGURATION_INVALID = 3
    TEST_REJECTED = 4
    REFUSED = 5
    PLAN_STALE = 6
    LOCKED = 7
    NOT_AUTHORISED = 8
    UNREACHABLE = 9
    PARTLY_SENT = 10
    INTERRUPTED_AFTER_WRITE = 11
    USAGE = 64
    TEMPORARY = 75
    INTERRUPTED = 130


_BY_ERROR: tuple[tuple[type[errors.ReconcilerError], ExitCode], ...] = (
    (errors.UsageError, ExitCode.USAGE),
    (errors.ConfigurationInvalid, ExitCode.CONFIGURATION_INVALID),
    (errors.NoProject, ExitCode.CONFIGURATION_INVALID),
    (errors.SecretError, ExitCode.TEST_REJECTED),
    (errors.StateLocked, ExitCode.LOCKED),
    (errors.PlanRefused, ExitCode.REFUSED),
    (errors.PlanStale, ExitCode.PLAN_STALE),
    (errors.NotAuthorised, ExitCode.NOT_AUTHORISED),
)


def exit_code(error: errors.ReconcilerError) -> ExitCode:
    """The code for an exception; 1 unless listed."""
    if isinstance(error, errors.TestsFailed):
        return ExitCode.TEST_REJECTED if error.rejected else ExitCode.UNREACHABLE
    if isinstance(error, errors.SendFailed):
        return ExitCode.TEMPORARY if error.temporary else ExitCode.FAILED
    for kind, code in _BY_ERROR:
        if isinstance(error, kind):
            return code
    return ExitCode.FAILED


def exit_code_of_tests(results: Iterable[ConnectorResult]) -> ExitCode:
    """The code for live tests: one rejection outweighs any number of unreachable servers."""
    failed = [item for item in results if not item.passed]
    if not failed:
        return ExitCode.OK
    unreachable = all(item.unreachable for item in failed)
    return ExitCode.UNREACHABLE if unreachable else ExitCode.TEST_REJECTED


class SendmailCode(IntEnum):
    """The exit codes of ``sendmail``: those of sysexits.h, which its callers know."""

    OK = 0
    USAGE = 64
    DATA = 65
    NO_USER = 67
    UNAVAILABLE = 69
    SOFTWARE = 70
    TEMPORARY = 75
    PROTOCOL = 76
    NOT_PERMITTED = 77
    CONFIGURATION = 78


_UNKNOWN_RECIPIENT = "5.1."
"""RFC 3463 section 3.2: addressing status."""


_SENDMAIL_BY_ERROR: tuple[tuple[type[errors.ReconcilerError], SendmailCode], ...] = (
    (errors.StateUnavailable, SendmailCode.TEMPORARY),
    (errors.StateLocked, SendmailCode.TEMPORARY),
    (errors.NoSuchUser, SendmailCode.NO_USER),
    (errors.UsageError, SendmailCode.DATA),  # errors in the arguments were found before
    (errors.NotAuthorised, SendmailCode.NOT_PERMITTED),
    (errors.RouteRefused, SendmailCode.UNAVAILABLE),
    (errors.SecretError, SendmailCode.CONFIGURATION),
    (errors.ConfigurationInvalid, SendmailCode.CONFIGURATION),
    (errors.NoProject, SendmailCode.CONFIGURATION),
    (errors.StateError, SendmailCode.CONFIGURATION),
)


def sendmail_code(error: errors.ReconcilerError) -> SendmailCode:
    """The code for a mail that was not sent; 75 only where trying again is safe."""
    if isinstance(error, errors.DeliveryUncertain):
        return SendmailCode.PROTOCOL
    if isinstance(error, errors.SendFailed):
        return _sendmail_code_of_reply(error.status, temporary=error.temporary)
    for kind, code in _SENDMAIL_BY_ERROR:
        if isinstance(error, kind):
            return code
    return SendmailCode.SOFTWARE


def _sendmail_code_of_reply(status: str, *, temporary: bool) -> SendmailCode:
    if temporary:
        return SendmailCode.TEMPORARY
    return sendmail_code_of_refusals(status)


def sendmail_code_of_refusals(*statuses: str) -> SendmailCode:
    """The code for recipients that were refused for good, by their enhanced status codes."""
    unknown = any(status.startswith(_UNKNOWN_RECIPIENT) for status in statuses)
    return SendmailCode.NO_USER if unknown else SendmailCode.UNAVAILABLE
