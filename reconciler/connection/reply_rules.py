"""What servers' answers mean, as data: the first rule that matches decides.

Sources: RFC 3463 and RFC 5248 (enhanced status codes), RFC 4954 section 6 (AUTH), RFC 5530 (IMAP response
codes), and those of :mod:`reconciler.connection.provider_reply_rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.provider_reply_rules import PROVIDER_RULES
from reconciler.connection.reply_rule import (
    CHECK_GRANT,
    CHECK_SIGN_IN,
    NEEDS_APP_ACCESS,
    USE_OAUTH,
    WAIT,
    Rule,
)
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from reconciler.mail.faults import Reply

_MICROSOFT = (".office365.com", ".outlook.com", "outlook.com", ".hotmail.com", ".live.com")
_GOOGLE = (".gmail.com", ".googlemail.com", ".google.com")

SMTP: Final = Protocol.SMTP
IMAP: Final = Protocol.IMAP

_NO: Final = r"[45]\d\d|NO"
"""Answers that reject a sign-in; BYE ends the session, and says nothing about the password."""

RULES: Final[tuple[Rule, ...]] = (
    *PROVIDER_RULES,
    # Some servers answer with text what TLS 1.3 sends as an alert.
    Rule(
        error_class=ErrorClass.PROTOCOL,
        cause="{host} asks for a client certificate, and there is none.",
        remedy="Name one with `client_certificate`, or use a port on which the server asks for none.",
        text=r"no client certificate|client certificate (is )?(required|needed)",
    ),
    # Limits and space, at any stage.
    Rule(
        error_class=ErrorClass.QUOTA,
        cause="The mailbox of {address} at {host} is full, or its mail quota is used up.",
        remedy="Make room in the mailbox, or wait until the quota is reset.",
        status=r"[45]\.2\.2|OVERQUOTA|5\.4\.5",
    ),
    Rule(
        error_class=ErrorClass.QUOTA,
        cause="The mailbox of {address} at {host} is full, or its mail quota is used up.",
        remedy="Make room in the mailbox, or wait until the quota is reset.",
        text=(
            r"over ?quota|quota (is |has been )?exceeded|exceed\w* .{0,30}quota|over (your|the|its) quota"
            r"|mailbox (is )?full|not enough (disk )?(quota|space)|disk full|no space left"
        ),
    ),
    Rule(
        error_class=ErrorClass.RATE_LIMITED,
        cause="{host} rejects {user} for now: a limit is reached.",
        remedy=WAIT,
        status=r"LIMIT|INUSE|4\.7\.28|4\.2\.1|4\.4\.5",
    ),
    Rule(
        error_class=ErrorClass.RATE_LIMITED,
        cause="{host} rejects {user} for now: a limit is reached.",
        remedy=WAIT,
        text=(
            r"too many|rate.?limit|throttl|limit (is )?(reached|exceeded)|maximum number of connections"
            r"|greylist|grey.?list"
        ),
    ),
    # A copy of a sent mail.
    Rule(
        error_class=ErrorClass.FOLDER_MISSING,
        cause="The folder for sent mail of {user} no longer exists at {host}.",
        remedy="Create it, or set `sent_folder` to a folder that exists.",
        command="APPEND",
        status=r"TRYCREATE|NONEXISTENT",
    ),
    Rule(
        error_class=ErrorClass.FOLDER_MISSING,
        cause="The folder for sent mail of {user} no longer exists at {host}.",
        remedy="Create it, or set `sent_folder` to a folder that exists.",
        command="APPEND",
        text=(
            r"(mailbox|folder)\b.{0,80} (doesn't|does not) exist|no such (mailbox|folder)"
            r"|unknown (mailbox|folder)|(mailbox|folder) (is )?(not found|unknown)"
        ),
    ),
    Rule(
        error_class=ErrorClass.MAILBOX_NOT_CONNECTED,
        cause="{user} may not file mail in the folder for sent mail at {host}.",
        remedy="Give {user} the right to insert mail there, or set `sent_folder` to a folder of its own.",
        command="APPEND",
        status=r"NOPERM|READ-ONLY|CANNOT|AUTHORIZATIONFAILED",
    ),
    Rule(
        error_class=ErrorClass.MAILBOX_NOT_CONNECTED,
        cause="{user} may not file mail in the folder for sent mail at {host}.",
        remedy="Give {user} the right to insert mail there, or set `sent_folder` to a folder of its own.",
        command="APPEND",
        text=r"permission denied|access denied|read.?only|not (permitted|allowed|authori[sz]ed)",
    ),
    Rule(
        error_class=ErrorClass.QUOTA,
        cause="{host} cannot file a mail of this size.",
        remedy="Send smaller attachments, or set `save_sent: never`.",
        command="APPEND",
        status="TOOBIG",
    ),
    Rule(
        error_class=ErrorClass.QUOTA,
        cause="{host} cannot file a mail of this size.",
        remedy="Send smaller attachments, or set `save_sent: never`.",
        command="APPEND",
        text=r"too large|too big|size (limit )?exceed\w*|exceeds? .{0,20}(size|limit)",
    ),
    Rule(
        error_class=ErrorClass.MAILBOX_NOT_CONNECTED,
        cause="{host} refuses to file the copy of a sent mail of {user}.",
        remedy="Ask the server's administrator why; `save_sent: never` files no copies.",
        command="APPEND",
        code="NO|BAD",
        status=r"(?!UNAVAILABLE).*",
    ),
    Rule(
        error_class=ErrorClass.MAILBOX_NOT_CONNECTED,
        cause="{host} refuses to search the mailbox of {user}.",
        remedy="Ask the server's administrator why.",
        command="SEARCH",
        code="NO|BAD",
        status=r"(?!UNAVAILABLE).*",
    ),
    # TLS that the server requires.
    Rule(
        error_class=ErrorClass.TLS_MODE_MISMATCH,
        cause="{host} requires TLS for the sign-in.",
        remedy="Set `security: starttls`, or `security: implicit` with the port for it.",
        text=r"must issue a STARTTLS|STARTTLS (is )?required|TLS (is )?required|encryption required",
    ),
    Rule(
        error_class=ErrorClass.TLS_MODE_MISMATCH,
        cause="{host} requires TLS for the sign-in.",
        remedy="Set `security: starttls`, or `security: implicit` with the port for it.",
        status=r"PRIVACYREQUIRED|5\.7\.11",
    ),
    Rule(
        error_class=ErrorClass.STARTTLS_MISSING,
        cause="{host} offers STARTTLS, but refuses to start it.",
        remedy="Ask the server's administrator; or use implicit TLS, if it has a port for that.",
        command="STARTTLS",
        code=r"5\d\d|NO|BAD",
    ),
    # Temporary: says nothing about the account.
    Rule(
        error_class=ErrorClass.REFUSED,
        cause="{host} is temporarily unavailable.",
        remedy="Wait and test again; the server says that this is temporary.",
        status=r"UNAVAILABLE",
    ),
    Rule(
        error_class=ErrorClass.REFUSED,
        cause="{host} is temporarily unavailable.",
        remedy="Wait and test again; the server says that this is temporary.",
        command="greeting EHLO STARTTLS AUTH",
        code=r"4\d\d",
    ),
    Rule(
        error_class=ErrorClass.REFUSED,
        cause="{host} ends the session for now.",
        remedy="Wait and test again; the server says that this is temporary.",
        code="421",
    ),
    Rule(
        error_class=ErrorClass.REFUSED,
        cause="{host} rejects this machine before the sign-in.",
        remedy="Check the port, and whether the server blocks the address of this machine.",
        command="greeting EHLO",
        code=r"55\d|521|BYE",
    ),
    # Signing in.
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="The password of {user} at {host} has expired.",
        remedy="Set a new password at the provider and put it where the reference points.",
        status=r"EXPIRED",
        wrong_password=True,
    ),
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="{host} accepts the credential, but not for the mailbox of {user}.",
        remedy="Check that this credential may open this mailbox; a shared mailbox needs separate rights.",
        status=r"AUTHORIZATIONFAILED",
    ),
    Rule(
        error_class=ErrorClass.AUTH_BASIC_DISABLED,
        cause="Microsoft no longer accepts passwords over IMAP, also not for {user}.",
        remedy=USE_OAUTH,
        protocol=IMAP,
        stage=Stage.AUTHENTICATION,
        code="NO",
        hosts=_MICROSOFT,
        token=False,
    ),
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="{host} does not accept the user name or password of {user}.",
        remedy=NEEDS_APP_ACCESS,
        stage=Stage.AUTHENTICATION,
        code=r"535|NO",
        hosts=_GOOGLE,
        token=False,
        wrong_password=True,
    ),
    Rule(
        error_class=ErrorClass.AUTH_MECH_UNAVAILABLE,
        cause="{host} offers this sign-in mechanism, but does not accept it.",
        remedy="Ask the server's administrator which sign-in mechanisms this port accepts.",
        stage=Stage.AUTHENTICATION,
        code=r"50[0-4]|538|BAD",
    ),
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="{host} does not accept the token for {user}.",
        remedy=CHECK_GRANT,
        stage=Stage.AUTHENTICATION,
        code=_NO,
        token=True,
    ),
    Rule(
        error_class=ErrorClass.AUTH_REJECTED,
        cause="{host} does not accept the user name or password of {user}.",
        remedy=CHECK_SIGN_IN,
        stage=Stage.AUTHENTICATION,
        code=_NO,
        token=False,
        wrong_password=True,
    ),
    # The mailbox.
    Rule(
        error_class=ErrorClass.FOLDER_MISSING,
        cause="There is no inbox for {user} at {host}.",
        remedy="Check that the account has a mailbox, and that {user} may read it.",
        command="EXAMINE",
        status="NONEXISTENT",
    ),
    Rule(
        error_class=ErrorClass.MAILBOX_NOT_CONNECTED,
        cause="{host} accepts the sign-in of {user}, but does not open the mailbox.",
        remedy="Check that the account has a mailbox, and that it may be read over IMAP.",
        stage=Stage.MAILBOX,
        code="NO",
    ),
    # The envelope. Postfix checks the sender only at the recipient.
    Rule(
        error_class=ErrorClass.SEND_AS_DENIED,
        cause="{host} does not let {user} send as {address}.",
        remedy="Give {user} the right to send as {address}, or set `email_address` to one of its own.",
        command="RCPT",
        code=r"5\d\d",
        text=r"sender (address |verify )?(rejected|denied|failed|not allowed)",
    ),
    Rule(
        error_class=ErrorClass.RECIPIENT_REJECTED,
        cause="{host} accepts no mail for {address} from {user} at the moment.",
        remedy="Wait and test again; if it persists, check that the address exists.",
        command="RCPT",
        code=r"4\d\d",
    ),
    Rule(
        error_class=ErrorClass.RECIPIENT_REJECTED,
        cause="{host} accepts no mail for {address} from {user}.",
        remedy="Check that the address exists, and that {user} may send mail through this server.",
        command="RCPT",
    ),
    Rule(
        error_class=ErrorClass.RATE_LIMITED,
        cause="{host} accepts no mail from {address} at the moment.",
        remedy=WAIT,
        command="MAIL RSET",
        code=r"4\d\d",
    ),
    Rule(
        error_class=ErrorClass.SEND_AS_DENIED,
        cause="{host} does not let {user} send as {address}.",
        remedy="Give {user} the right to send as {address}, or set `email_address` to one of its own.",
        command="MAIL",
    ),
    # The test mail itself. A right to send is often checked only now.
    Rule(
        error_class=ErrorClass.SEND_AS_DENIED,
        cause="{host} accepted the addresses, but then refused a mail of {user} from {address}.",
        remedy="Give {user} the right to send as {address}, or set `email_address` to one of its own.",
        command="DATA",
        status=r"5\.7\.1",
    ),
    Rule(
        error_class=ErrorClass.RATE_LIMITED,
        cause="{host} accepts no mail from {address} at the moment.",
        remedy=WAIT,
        command="DATA",
        code=r"4\d\d",
    ),
    Rule(
        error_class=ErrorClass.NOT_DELIVERED,
        cause="{host} accepted the addresses, but then refused the test mail of {address}.",
        remedy="Ask the server's administrator which rule or filter refused it.",
        command="DATA",
    ),
)


def meaning(
    protocol: Protocol, stage: Stage, command: str, reply: Reply, host: str, *, token: bool
) -> Rule | None:
    """The first rule that matches."""
    return next(
        (
            rule
            for rule in RULES
            if rule.fits(protocol, stage, command, reply, host.lower(), token=token)
        ),
        None,
    )
