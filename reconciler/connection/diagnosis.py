"""From what went wrong to a failure with its class, cause and remedy.

The server's reply decides, where there is one, and only then the type of the exception.
"""

from __future__ import annotations

import json
import re
import ssl
from typing import TYPE_CHECKING, Final

from reconciler.connection.certificates import tls_failure
from reconciler.connection.errors import (
    AlreadyRejected,
    FolderMissing,
    HostNotAllowed,
    NotDelivered,
    WrongMode,
)
from reconciler.connection.failure import ErrorClass, Failure, Stage
from reconciler.connection.oauth_errors import token_failure
from reconciler.connection.reply_rules import meaning
from reconciler.errors import ReconcilerError, SecretError
from reconciler.mail.faults import (
    Declined,
    Disconnected,
    MailFault,
    NoMechanism,
    NotRedirected,
    ProtocolViolation,
    Reply,
    StarttlsMissing,
    TimedOut,
    TokenFault,
    Uncertain,
    Unreachable,
    Unresolvable,
    Unsendable,
)
from reconciler.model.connector import Security

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.connection.context import FailureContext
    from reconciler.connection.reply_rules import Rule


_OTHER_PROTOCOLS: Final = (
    (re.compile(r"\* (OK|PREAUTH|BYE)\b"), "IMAP"),
    (re.compile(r"(220|421|554)[ -]"), "SMTP"),
    (re.compile(r"\+OK|-ERR"), "POP3"),
    (re.compile(r"HTTP/|<!DOCTYPE|<html", re.IGNORECASE), "HTTP"),
    (re.compile(r"SSH-"), "SSH"),
)


def fault_failure(error: MailFault, where: FailureContext) -> Failure:
    """Say what a fault means; each kind has a function of its own below."""
    for kind, explain in _EXPLANATIONS:
        if isinstance(error, kind):
            return explain(error, where)
    return Failure(
        ErrorClass.PROTOCOL,
        f"{where.account.host} does not keep to the protocol.",
        "Ask the server's administrator, or test again later.",
    )


def _host_not_allowed(error: HostNotAllowed, _where: FailureContext) -> Failure:
    return Failure(
        ErrorClass.CONFIG_INVALID,
        f"Connections to {error.host} are not allowed.",
        "Add it to `allowed_hosts` in reconciler.yaml, if it is to be trusted with credentials.",
    )


def _unresolvable(error: Unresolvable, where: FailureContext) -> Failure:
    return Failure(
        ErrorClass.DNS,
        f"The name {where.account.host} cannot be resolved: {error}.",
        "Check the spelling of `server`, and the name service of this machine.",
    )


def _unreachable(error: Unreachable, where: FailureContext) -> Failure:
    return Failure(
        ErrorClass.REFUSED,
        f"No connection to {where.account.host} on port {where.account.port}: {error}.",
        "Check `port`, that the server is up, and that no firewall is in between.",
    )


def _not_redirected(_error: NotRedirected, where: FailureContext) -> Failure:
    account = where.account
    return Failure(
        ErrorClass.REFUSED,
        f"{account.host}:{account.port} is not among the servers of the sandbox, and nothing else is connected to.",
        "Start the sandbox anew, so that it plays this server too.",
    )


def _starttls_missing(_error: StarttlsMissing, where: FailureContext) -> Failure:
    account = where.account
    return Failure(
        ErrorClass.STARTTLS_MISSING,
        f"{account.host} does not offer STARTTLS on port {account.port}, so no password was sent to it.",
        "Use a port that offers TLS; if this one always did, something in between strips it.",
    )


def _no_mechanism(error: NoMechanism, where: FailureContext) -> Failure:
    offered = where.show(", ".join(error.offered))
    what = f": it offers {offered}" if offered else ""
    return Failure(
        ErrorClass.AUTH_MECH_UNAVAILABLE,
        f"{where.account.host} offers no way to sign in that can be used here{what}.",
        "Check port and TLS mode: many servers offer sign-in only with TLS, and none on port 25. A "
        "password beyond ASCII needs PLAIN.",
    )


def _unsendable(error: Unsendable, where: FailureContext) -> Failure:
    if where.stage in (Stage.ENVELOPE, Stage.DELIVERY):
        return Failure(ErrorClass.RECIPIENT_REJECTED, str(error), "Use an address in ASCII.")
    return Failure(
        ErrorClass.CONFIG_INVALID, str(error), "Correct the user name, or what the reference names."
    )


def _timed_out(error: TimedOut, where: FailureContext) -> Failure:
    account = where.account
    if where.stage is Stage.DNS:
        cause = f"The name service did not answer in time for {account.host}."
    elif where.stage is Stage.TCP:
        cause = f"{account.host} did not take the connection on port {account.port} in time."
    elif error.silent:
        cause = f"{account.host} takes the connection on port {account.port}, but says nothing."
    else:
        cause = f"{account.host} did not answer in time at the stage {where.stage}."
    return Failure(
        ErrorClass.TIMEOUT,
        cause,
        "Check host and port, and whether a firewall drops the connection; a slow server may need a "
        "longer timeout.",
    )


def _wrong_mode(error: WrongMode, where: FailureContext) -> Failure:
    account = where.account
    speaks = {
        Security.IMPLICIT: "expects TLS from the first byte",
        Security.STARTTLS: "starts in plain text and offers STARTTLS",
        Security.NONE: "speaks plain text and offers no TLS",
    }[error.speaks]
    remedy = (
        "Use a port that offers TLS: on this one the password would travel in plain text."
        if error.speaks is Security.NONE
        else f"Set `security: {error.speaks}`, or the port that goes with {account.security}."
    )
    return Failure(
        ErrorClass.TLS_MODE_MISMATCH,
        f"{account.host} {speaks} on port {account.port}; the connector has `security: {account.security}`.",
        remedy,
    )


def _folder_missing(error: FolderMissing, where: FailureContext) -> Failure:
    account = where.account
    if error.wanted is not None:
        return Failure(
            ErrorClass.FOLDER_MISSING,
            f"There is no folder {error.wanted} in the mailbox of {account.username}.",
            "Create the folder, or correct `sent_folder`.",
        )
    return Failure(
        ErrorClass.FOLDER_MISSING,
        f"No folder for sent mail was found in the mailbox of {account.username}.",
        "Name it with `sent_folder`, or set `save_sent: never`.",
    )


def _not_delivered(_error: NotDelivered, where: FailureContext) -> Failure:
    account = where.account
    return Failure(
        ErrorClass.NOT_DELIVERED,
        f"The test mail to {account.address} was sent, but is not in the inbox of {account.username} at "
        f"{account.host}.",
        "Look for it in the spam folder, and at the rules and forwardings of the mailbox; if it comes "
        "later, the servers in between are slow.",
    )


def _uncertain(_error: Uncertain, where: FailureContext) -> Failure:
    return Failure(
        ErrorClass.NOT_DELIVERED,
        f"The test mail was handed over, but {where.account.host} did not say that it has it.",
        "Test again; the mail may have arrived all the same, and can be deleted.",
    )


def _violation(error: ProtocolViolation, where: FailureContext) -> Failure:
    account = where.account
    own = account.protocol.upper()
    other = next((name for pattern, name in _OTHER_PROTOCOLS if pattern.match(error.heard)), own)
    if other != own and where.stage in (Stage.TLS, Stage.CAPABILITIES):
        return Failure(
            ErrorClass.PROTOCOL,
            f"{account.host} speaks {other} on port {account.port}, and not {own}.",
            f"Set the port of the server's {own} service.",
            where.show(error.heard),
        )
    return Failure(
        ErrorClass.PROTOCOL,
        f"{account.host} does not keep to the protocol: {error}",
        "Check host and port; if they are right, the server or something in between is at fault.",
        where.show(error.heard),
    )


def _already_rejected(error: AlreadyRejected, where: FailureContext) -> Failure:
    account = where.account
    return Failure(
        ErrorClass.AUTH_REJECTED,
        f"The password of {account.username} was not tried at {account.host}: {error.host} has refused it.",
        "Put it right and test again; one wrong password is one failed sign-in, so that no account is "
        "locked.",
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
)


_ASK_ADMINISTRATOR = "Ask the server's administrator, or test again later."


def is_temporary(error: Exception, stage: Stage) -> bool:
    """Whether a new attempt may fare better and can do no harm.

    A connection that is dropped while signing in is not tried again: that is how some servers answer a
    wrong password, and it would be sent twice. A token that could not be had was shown to nobody.
    """
    match error:
        case TokenFault():
            return error.temporary
        case Disconnected():
            return stage is not Stage.AUTHENTICATION
        case Declined(reply=Reply(status="UNAVAILABLE")):
            return True
        case Declined(reply=reply) if stage is Stage.AUTHENTICATION:
            return reply.code == "454" and "too many" not in reply.text.lower()
        case Declined(reply=reply):
            return reply.code.startswith("4")
    return False


def classify(error: Exception, where: FailureContext) -> Failure:
    """Say what an exception means."""
    match error:
        case Declined():
            return _declined(error, where)
        case Disconnected():
            return _disconnected(error, where)
        case ssl.SSLError():
            return tls_failure(error, where)
        case ReconcilerError():
            return Failure(
                ErrorClass.SECRET_MISSING
                if isinstance(error, SecretError) or where.stage is Stage.SECRET
                else ErrorClass.CONFIG_INVALID,
                _sentence(error.message),
                _sentence(error.hint) or "Set the secret where the reference points.",
            )
        case MailFault():
            return fault_failure(error, where)
    # The text of an exception that nobody thought of could hold anything.
    return Failure(
        ErrorClass.INTERNAL,
        f"The test failed in an unexpected way ({type(error).__name__} at {where.stage}).",
        "This is a defect of the reconciler: please report it with this line.",
    )


def _declined(error: Declined, where: FailureContext) -> Failure:
    account = where.account
    reply = where.show(f"{error.reply.code} {error.reply.text}")
    token = account.settings.oauth2 is not None
    if error.challenge:
        return _token_refused(error, where)
    rule = meaning(
        account.protocol, where.stage, error.command, error.reply, account.host, token=token
    )
    if rule is not None:
        return _by(rule, where, reply)
    return Failure(
        ErrorClass.PROTOCOL,
        f"{account.host} does not do what {error.command} asks for.",
        _ASK_ADMINISTRATOR,
        reply,
    )


def _token_refused(error: Declined, where: FailureContext) -> Failure:
    """RFC 7628 section 3.2.2; with XOAUTH2 the status is one of HTTP."""
    account = where.account
    try:
        parsed = json.loads(error.challenge)
    except (ValueError, RecursionError):
        parsed = {}
    said = parsed if isinstance(parsed, dict) else {}
    status, scope = str(said.get("status", "")), where.show(str(said.get("scope") or ""))
    reply = where.show(f"{error.reply.code} {error.reply.text} {error.challenge}")
    if status in ("403", "insufficient_scope"):
        return Failure(
            ErrorClass.OAUTH_SCOPE,
            f"The token for {account.username} does not allow {account.protocol} at {account.host}.",
            "Give the application the permission for this protocol, and ask for its scope in `scopes`.",
            reply,
        )
    return Failure(
        ErrorClass.OAUTH_TOKEN,
        f"{account.host} does not accept the token for {account.username}.",
        "Check that tenant, client and scopes are those of this provider, and that the token is for "
        "this user." + (f" The server names the scope {scope}." if scope else ""),
        reply,
    )


def _disconnected(error: Disconnected, where: FailureContext) -> Failure:
    account = where.account
    if error.reply is not None:
        command = "greeting" if where.stage in (Stage.TLS, Stage.CAPABILITIES) else ""
        rule = meaning(
            account.protocol,
            where.stage,
            command,
            error.reply,
            account.host,
            token=account.settings.oauth2 is not None,
        )
        if rule is not None:
            return _by(rule, where, where.show(f"{error.reply.code} {error.reply.text}"))
    if error.silent:
        return Failure(
            ErrorClass.REFUSED,
            f"{account.host} takes the connection on port {account.port}, but closes it without a word.",
            "Check the port; if it is right, the server or what stands before it is out of order.",
        )
    when = {
        Stage.TLS: "while TLS was being set up",
        Stage.CAPABILITIES: "before anybody had signed in",
        Stage.AUTHENTICATION: "instead of answering the sign-in",
    }.get(where.stage, "after the sign-in")
    return Failure(
        ErrorClass.PROTOCOL,
        f"{account.host} closed the connection {when}.",
        _ASK_ADMINISTRATOR,
        where.show(error.reply.text) if error.reply else "",
    )


def _by(rule: Rule, where: FailureContext, reply: str) -> Failure:
    """What a rule says, of this half."""
    names = where.names
    return Failure(
        rule.error_class,
        rule.cause.format(**names),
        rule.remedy.format(**names),
        reply,
        rule.wrong_password,
    )


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text[:1].upper()}{text[1:]}."
