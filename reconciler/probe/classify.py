"""From what went wrong to a failure with its class, cause and remedy.

The server's reply decides, where there is one, and only then the type of the exception.
"""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError, SecretError
from reconciler.mail.faults import Declined, Disconnected, MailFault, Reply, TokenFault
from reconciler.probe.causes import fault_failure
from reconciler.probe.certificates import tls_failure
from reconciler.probe.replies import meaning
from reconciler.probe.result import ErrorClass, Failure, Stage

if TYPE_CHECKING:
    from reconciler.probe.replies import Rule
    from reconciler.probe.where import Where

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


def classify(error: Exception, where: Where) -> Failure:
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


def _declined(error: Declined, where: Where) -> Failure:
    half = where.half
    reply = where.show(f"{error.reply.code} {error.reply.text}")
    token = half.settings.oauth2 is not None
    if error.challenge:
        return _token_refused(error, where)
    rule = meaning(half.protocol, where.stage, error.command, error.reply, half.host, token=token)
    if rule is not None:
        return _by(rule, where, reply)
    return Failure(
        ErrorClass.PROTOCOL,
        f"{half.host} does not do what {error.command} asks for.",
        _ASK_ADMINISTRATOR,
        reply,
    )


def _token_refused(error: Declined, where: Where) -> Failure:
    """RFC 7628 section 3.2.2; with XOAUTH2 the status is one of HTTP."""
    half = where.half
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
            f"The token for {half.username} does not allow {half.protocol} at {half.host}.",
            "Give the application the permission for this protocol, and ask for its scope in `scopes`.",
            reply,
        )
    return Failure(
        ErrorClass.OAUTH_TOKEN,
        f"{half.host} does not accept the token for {half.username}.",
        "Check that tenant, client and scopes are those of this provider, and that the token is for "
        "this user." + (f" The server names the scope {scope}." if scope else ""),
        reply,
    )


def _disconnected(error: Disconnected, where: Where) -> Failure:
    half = where.half
    if error.reply is not None:
        command = "greeting" if where.stage in (Stage.TLS, Stage.CAPABILITIES) else ""
        rule = meaning(
            half.protocol,
            where.stage,
            command,
            error.reply,
            half.host,
            token=half.settings.oauth2 is not None,
        )
        if rule is not None:
            return _by(rule, where, where.show(f"{error.reply.code} {error.reply.text}"))
    if error.silent:
        return Failure(
            ErrorClass.REFUSED,
            f"{half.host} takes the connection on port {half.port}, but closes it without a word.",
            "Check the port; if it is right, the server or what stands before it is out of order.",
        )
    when = {
        Stage.TLS: "while TLS was being set up",
        Stage.CAPABILITIES: "before anybody had signed in",
        Stage.AUTHENTICATION: "instead of answering the sign-in",
    }.get(where.stage, "after the sign-in")
    return Failure(
        ErrorClass.PROTOCOL,
        f"{half.host} closed the connection {when}.",
        _ASK_ADMINISTRATOR,
        where.show(error.reply.text) if error.reply else "",
    )


def _by(rule: Rule, where: Where, reply: str) -> Failure:
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
