"""Turns an error into a failure with its class, cause and remedy.

A server's reply decides, if there is one, or else the type of the exception.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from reconciler.connection.anonymous import sign_in_demanded
from reconciler.connection.certificates import tls_failure
from reconciler.connection.failure import ErrorClass, Failure, Stage
from reconciler.connection.fault_failures import fault_failure
from reconciler.connection.reply_rules import meaning
from reconciler.connection.server_answer import answer_in, rejected_token, shown
from reconciler.errors import ReconcilerError, SecretError
from reconciler.mail.faults import Declined, Disconnected, MailFault, Reply, TokenFault
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.connection.context import FailureContext
    from reconciler.connection.reply_rule import Rule

_ASK_ADMINISTRATOR = "Ask the server's administrator, or test again later."


def is_temporary(error: Exception, stage: Stage) -> bool:
    """Whether a new attempt may succeed and can do no harm.

    A connection dropped while signing in is not retried: some servers answer a wrong password
    that way, and it would be sent twice. A token that could not be obtained was never sent.
    """
    match error:
        case TokenFault():
            return error.temporary
        case Disconnected():
            return stage is not Stage.AUTHENTICATION
        case Declined(reply=Reply(status="UNAVAILABLE")):
            return True
        case Declined(reply=reply) if stage is Stage.AUTHENTICATION:
            return reply.code in ("421", "454") and "too many" not in reply.text.lower()
        case Declined(reply=reply):
            return reply.code.startswith("4")
    return False


def classify(error: Exception, where: FailureContext) -> Failure:
    """Explain an exception, with what may be shown of the server's answer."""
    failure = _explained(error, where)
    answer = answer_in(error)
    if answer is None:
        return failure
    text = where.show(answer.whole()) if where.server_text else ""
    return replace(failure, reply=shown(answer, where), server_text=text)


def _explained(error: Exception, where: FailureContext) -> Failure:
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
    # The text of an unforeseen exception could contain anything.
    return Failure(
        ErrorClass.INTERNAL,
        f"The test failed in an unexpected way ({type(error).__name__} at {where.stage}).",
        "This is a bug in reconciler: please report it with this line.",
    )


def _declined(error: Declined, where: FailureContext) -> Failure:
    account = where.account
    token = account.settings.oauth2 is not None
    if error.challenge:
        return _token_rejected(error, where)
    if not account.settings.signs_in and (found := sign_in_demanded(error.reply, where)):
        return found
    rule = meaning(
        account.protocol, where.stage, error.command, error.reply, account.host, token=token
    )
    if rule is not None:
        return _by(rule, where)
    return Failure(
        ErrorClass.PROTOCOL,
        f"{account.shown_host} does not support {error.command}.",
        _ASK_ADMINISTRATOR,
    )


def _token_rejected(error: Declined, where: FailureContext) -> Failure:
    """Explain a status of RFC 7628 section 3.2.2; with XOAUTH2, an HTTP status."""
    account = where.account
    status, scope = rejected_token(error.challenge, where)
    if status in ("403", "insufficient_scope"):
        return Failure(
            ErrorClass.OAUTH_SCOPE,
            f"The token for {account.username} does not allow {account.protocol} at {account.shown_host}.",
            "Give the application the permission for this protocol, and ask for its scope in `scopes`.",
        )
    return Failure(
        ErrorClass.OAUTH_TOKEN,
        f"{account.shown_host} does not accept the token for {account.username}.",
        "Check that tenant, client and scopes are those of this provider, and that the token is for "
        "this user." + (f" The server names the scope {scope}." if scope else ""),
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
            return _by(rule, where)
    if error.silent:
        return Failure(
            ErrorClass.REFUSED,
            f"{account.shown_host} accepts the connection on port {account.port}, but closes it at once.",
            "Check the port; if it is right, the server, or a proxy in front of it, has failed.",
        )
    when = {
        Stage.TLS: "while TLS was being set up",
        Stage.CAPABILITIES: "before the sign-in",
        Stage.AUTHENTICATION: "instead of answering the sign-in",
    }.get(where.stage, "after the sign-in")
    return Failure(
        ErrorClass.PROTOCOL,
        f"{account.shown_host} closed the connection {when}.",
        _ASK_ADMINISTRATOR,
    )


def _by(rule: Rule, where: FailureContext) -> Failure:
    """Apply a rule to this account."""
    names = where.names
    return Failure(
        rule.error_class,
        rule.cause.format(**names),
        rule.remedy.format(**names),
        wrong_password=rule.wrong_password,
    )


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text[:1].upper()}{text[1:]}."
