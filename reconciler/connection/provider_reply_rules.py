"""What the answers of Microsoft and Google mean.

Sources: Microsoft's "Fix issues with SMTP client submission" and "Non-delivery reports in Exchange Online",
Google's "SMTP error reference" for Gmail and Workspace.
"""

from __future__ import annotations

from typing import Final

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.reply_rule import (
    CHECK_SIGN_IN,
    NEEDS_APP_ACCESS,
    TURN_ON_SMTP_AUTH,
    USE_OAUTH,
    WAIT,
    Rule,
)
from reconciler.model.protocol import Protocol

SMTP: Final = Protocol.SMTP

PROVIDER_RULES: Final[tuple[Rule, ...]] = (
    # Microsoft, matched by text first: several answers begin with 5.7.139.
    Rule(
        error_class=ErrorClass.AUTH_BASIC_DISABLED,
        cause="{host} no longer accepts passwords: basic authentication is disabled.",
        remedy=USE_OAUTH,
        text=r"basic auth\w* is (disabled|not supported)",
    ),
    Rule(
        error_class=ErrorClass.AUTH_BASIC_DISABLED,
        cause="{host} no longer accepts passwords for sending.",
        remedy=USE_OAUTH,
        protocol=SMTP,
        status=r"5\.7\.30",
    ),
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="{host} does not accept the user name or password of {user}.",
        remedy=CHECK_SIGN_IN,
        protocol=SMTP,
        status=r"5\.7\.139",
        text=r"credentials were incorrect",
        wrong_password=True,
    ),
    Rule(
        error_class=ErrorClass.SMTP_AUTH_DISABLED,
        cause="Authenticated SMTP is disabled for {user} or its whole tenant at {host}.",
        remedy=TURN_ON_SMTP_AUTH,
        protocol=SMTP,
        status=r"5\.7\.139",
    ),
    Rule(
        error_class=ErrorClass.SMTP_AUTH_DISABLED,
        cause="Authenticated SMTP is disabled for {user} or its whole tenant at {host}.",
        remedy=TURN_ON_SMTP_AUTH,
        text=r"SmtpClientAuthentication is disabled",
    ),
    Rule(
        error_class=ErrorClass.RATE_LIMITED,
        cause="{host} already has too many connections of {user}.",
        remedy=WAIT,
        protocol=SMTP,
        code="432",
    ),
    Rule(
        error_class=ErrorClass.MAILBOX_NOT_CONNECTED,
        cause="{host} accepts the sign-in of {user}, but opens no mailbox for it.",
        remedy=(
            "Check that {user} has a mailbox with a licence and IMAP turned on, and, with OAuth 2.0, that the user name is the mailbox's."
        ),
        text=r"authenticated but not connected",
    ),
    Rule(
        error_class=ErrorClass.SEND_AS_DENIED,
        cause="{user} may not send as {address} at {host}.",
        remedy="Give {user} the right to send as {address}, or set `email_address` to one of its own.",
        protocol=SMTP,
        status=r"5\.7\.60",
    ),
    Rule(
        error_class=ErrorClass.SEND_AS_DENIED,
        cause="{user} may not send as {address} at {host}.",
        remedy="Give {user} the right to send as {address}, or set `email_address` to one of its own.",
        protocol=SMTP,
        text=r"SendAsDenied|permissions? to send as|not owned by user|not allowed to send",
    ),
    # Google.
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="{host} accepts only an app password from {user}, not the account's password.",
        remedy=NEEDS_APP_ACCESS,
        text=r"application-specific password|app(lication)?[ -]password required|InvalidSecondFactor",
        wrong_password=True,
    ),
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="{host} requires {user} to sign in with a browser first.",
        remedy="Sign in as {user} in a browser and answer what the provider asks, then test again.",
        stage=Stage.AUTHENTICATION,
        text=r"via your web browser|WebLoginRequired",
    ),
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="The account {user} may not be used over this protocol at {host}.",
        remedy="Turn on IMAP (or POP and IMAP) for the account in the provider's settings.",
        stage=Stage.AUTHENTICATION,
        text=r"not enabled for (IMAP|SMTP)|(IMAP|SMTP) (access|use) is (disabled|not enabled)",
    ),
    # NetEase.
    Rule(
        error_class=ErrorClass.MAILBOX_NOT_CONNECTED,
        cause="{host} accepts the sign-in of {user}, but takes it for unsafe and opens no mailbox.",
        remedy=(
            "Turn on IMAP in the settings of the account, and sign in with the authorisation code that they "
            "show, not with the password."
        ),
        text=r"unsafe login",
    ),
)
