"""Explains faults other than a server's reply, with a function for each kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.connection.certificates import reason_failure
from reconciler.connection.errors import (
    AlreadyRejected,
    FolderMissing,
    HostNotAllowed,
    NotDelivered,
    WrongMode,
)
from reconciler.connection.failure import ErrorClass, Failure, Stage
from reconciler.connection.oauth_errors import token_failure
from reconciler.mail.faults import (
    MailFault,
    NoMechanism,
    NotRedirected,
    ProtocolViolation,
    StarttlsMissing,
    TimedOut,
    TlsFault,
    TokenFault,
    Uncertain,
    Unreachable,
    Unresolvable,
    Unsendable,
)
from reconciler.mail.folders import nearest
from reconciler.model.connector import Security
from reconciler.model.domain import with_a_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.connection.context import FailureContext

_OTHER_PROTOCOLS: Final = (
    (re.compile(r"\* (OK|PREAUTH|BYE)\b"), "IMAP"),
    (re.compile(r"(220|421|554)[ -]"), "SMTP"),
    (re.compile(r"\+OK|-ERR"), "POP3"),
    (re.compile(r"HTTP/|<!DOCTYPE|<html", re.IGNORECASE), "HTTP"),
    (re.compile(r"SSH-"), "SSH"),
)

_FOLDERS: Final = 10
"""The maximum number of folders to list."""

_NAME: Final = 60
"""The maximum length of a folder's name."""


def fault_failure(error: MailFault, where: FailureContext) -> Failure:
    """Explain a fault; each kind has its own function below."""
    for kind, explain in _EXPLANATIONS:
        if isinstance(error, kind):
            return explain(error, where)
    return Failure(
        ErrorClass.PROTOCOL,
        f"{where.account.shown_host} violates the protocol.",
        "Ask the server's administrator, or test again later.",
    )


def _host_not_allowed(error: HostNotAllowed, _where: FailureContext) -> Failure:
    return Failure(
        ErrorClass.CONFIG_INVALID,
        f"Connections to {with_a_label(error.host)} are not allowed.",
        "Add it to `allowed_hosts` in reconciler.yaml, if you trust it with credentials.",
    )


def _unresolvable(error: Unresolvable, where: FailureContext) -> Failure:
    return Failure(
        ErrorClass.DNS,
        f"The name {where.account.shown_host} cannot be resolved: {error}.",
        "Check the spelling of `server`, and the DNS settings of this machine." + _direct(where),
    )


def _unreachable(error: Unreachable, where: FailureContext) -> Failure:
    return Failure(
        ErrorClass.REFUSED,
        f"No connection to {where.account.shown_host} on port {where.account.port}: {error}.",
        "Check `port`, that the server is up, and that no firewall is in between." + _direct(where),
    )


def _direct(where: FailureContext) -> str:
    """Say that the environment's proxy is not used here: it speaks HTTP, and carries no mail."""
    if not where.bypassed_proxy:
        return ""
    protocol = where.account.protocol.upper()
    return (
        f" {where.bypassed_proxy} is used for token endpoints only:"
        f" {protocol} needs a direct connection from this machine."
    )


def _not_redirected(_error: NotRedirected, where: FailureContext) -> Failure:
    account = where.account
    return Failure(
        ErrorClass.REFUSED,
        f"{account.shown_host}:{account.port} is not a server of the sandbox, and the sandbox allows no other connections.",
        "Restart the sandbox, so that it includes this server.",
    )


def _starttls_missing(_error: StarttlsMissing, where: FailureContext) -> Failure:
    account = where.account
    return Failure(
        ErrorClass.STARTTLS_MISSING,
        f"{account.shown_host} does not offer STARTTLS on port {account.port}, so nothing was sent to it.",
        "Use a port that offers TLS; if this port used to offer it, something on the network path strips it.",
    )


def _no_mechanism(error: NoMechanism, where: FailureContext) -> Failure:
    offered = where.show(", ".join(error.offered))
    what = f": it offers {offered}" if offered else ""
    return Failure(
        ErrorClass.AUTH_MECH_UNAVAILABLE,
        f"{where.account.shown_host} offers no sign-in mechanism that can be used here{what}.",
        "Check port and TLS mode: many servers offer sign-in only with TLS, and none on port 25. A non-ASCII password needs PLAIN.",
    )


def _unsendable(error: Unsendable, where: FailureContext) -> Failure:
    if where.stage in (Stage.ENVELOPE, Stage.DELIVERY):
        return Failure(ErrorClass.RECIPIENT_REJECTED, str(error), "Use an address in ASCII.")
    return Failure(
        ErrorClass.CONFIG_INVALID,
        str(error),
        "Correct the user name, or the secret that the reference names.",
    )


def _timed_out(error: TimedOut, where: FailureContext) -> Failure:
    account = where.account
    if where.stage is Stage.DNS:
        cause = f"The name service did not answer in time for {account.shown_host}."
    elif where.stage is Stage.TCP:
        cause = (
            f"{account.shown_host} did not accept the connection on port {account.port} in time."
        )
    elif error.silent:
        cause = f"{account.shown_host} accepts the connection on port {account.port}, but sends nothing."
    else:
        cause = f"{account.shown_host} did not answer in time at the stage {where.stage}."
    return Failure(
        ErrorClass.TIMEOUT,
        cause,
        "Check host and port, and whether a firewall drops the connection; a slow server may need a "
        "longer timeout." + (_direct(where) if where.stage in (Stage.DNS, Stage.TCP) else ""),
    )


def _wrong_mode(error: WrongMode, where: FailureContext) -> Failure:
    account = where.account
    speaks = {
        Security.IMPLICIT: "expects TLS from the first byte",
        Security.STARTTLS: "starts in plain text and offers STARTTLS",
        Security.NONE: "speaks plain text and offers no TLS",
    }[error.speaks]
    remedy = (
        "Use a port that offers TLS: on this one the password would be sent in plain text."
        if error.speaks is Security.NONE
        else f"Set `security: {error.speaks}`, or the port that goes with {account.security}."
    )
    return Failure(
        ErrorClass.TLS_MODE_MISMATCH,
        f"{account.shown_host} {speaks} on port {account.port}; the connector has `security: {account.security}`.",
        remedy,
    )


def _folder_missing(error: FolderMissing, where: FailureContext) -> Failure:
    user = where.account.username
    shown = where.redactor.show_all(nearest(error.existing, error.desired, _FOLDERS))
    left = len(error.existing) - len(shown)
    names = ", ".join(dict.fromkeys(name[:_NAME] for name in shown))
    there = (
        f" The folders there are: {names}{f' and {left} more' if left else ''}." if names else ""
    )
    if error.desired is not None:
        return Failure(
            ErrorClass.FOLDER_MISSING,
            f"There is no folder {error.desired} in the mailbox of {user}.{there}",
            "Create the folder, or correct `sent_folder`.",
        )
    return Failure(
        ErrorClass.FOLDER_MISSING,
        f"No folder for sent mail was found in the mailbox of {user}.{there}",
        "Name it with `sent_folder`, or set `save_sent: never`.",
    )


def _not_delivered(_error: NotDelivered, where: FailureContext) -> Failure:
    account = where.account
    return Failure(
        ErrorClass.NOT_DELIVERED,
        f"The test mail to {account.address} was sent, but is not in the inbox of {account.username} at "
        f"{account.shown_host}.",
        "Look for it in the spam folder, and check the mailbox's rules and forwarding; if it arrives later, a server on the way is slow.",
    )


def _uncertain(_error: Uncertain, where: FailureContext) -> Failure:
    return Failure(
        ErrorClass.NOT_DELIVERED,
        f"The test mail was transmitted, but {where.account.shown_host} did not confirm it.",
        "Test again; the mail may have arrived anyway; you can delete it.",
    )


def _violation(error: ProtocolViolation, where: FailureContext) -> Failure:
    account = where.account
    own = account.protocol.upper()
    other = next((name for pattern, name in _OTHER_PROTOCOLS if pattern.match(error.heard)), own)
    if other != own and where.stage in (Stage.TLS, Stage.CAPABILITIES):
        return Failure(
            ErrorClass.PROTOCOL,
            f"{account.shown_host} speaks {other} on port {account.port}, not {own}.",
            f"Set the port of the server's {own} service.",
        )
    return Failure(
        ErrorClass.PROTOCOL,
        f"{account.shown_host} violates the protocol: {error}",
        "Check host and port; if they are right, the server or something on the network path is at fault.",
    )


def _tls_fault(error: TlsFault, where: FailureContext) -> Failure:
    return reason_failure(error.reason, where)


def _already_rejected(error: AlreadyRejected, where: FailureContext) -> Failure:
    account = where.account
    return Failure(
        ErrorClass.AUTH_REJECTED,
        f"The password of {account.username} was not tried at {account.shown_host}: {with_a_label(error.host)} has refused it.",
        "Correct it and test again. A wrong password is tried only once, so that no account is locked.",
    )


_EXPLANATIONS: Final[tuple[tuple[type[MailFault], Callable[..., Failure]], ...]] = (
    (HostNotAllowed, _host_not_allowed),
    (Unresolvable, _unresolvable),
    (NotRedirected, _not_redirected),
    (Unreachable, _unreachable),
    (TimedOut, _timed_out),
    (TokenFault, token_failure),
    (AlreadyRejected, _already_rejected),
    (WrongMode, _wrong_mode),
    (StarttlsMissing, _starttls_missing),
    (NoMechanism, _no_mechanism),
    (Unsendable, _unsendable),
    (FolderMissing, _folder_missing),
    (NotDelivered, _not_delivered),
    (Uncertain, _uncertain),
    (ProtocolViolation, _violation),
    (TlsFault, _tls_fault),
)
