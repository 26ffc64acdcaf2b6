"""A rule for the meaning of a server's answer, and remedies that several rules share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from reconciler.connection.failure import ErrorClass, Stage
    from reconciler.mail.faults import Reply
    from reconciler.model.protocol import Protocol

TURN_ON_SMTP_AUTH: Final = (
    "Turn on authenticated SMTP for the mailbox (Set-CASMailbox -SmtpClientAuthenticationDisabled "
    "$false) or for the tenant, or sign in with OAuth 2.0."
)
USE_OAUTH: Final = "Sign in with OAuth 2.0: replace `password` by `oauth2` in the connector."
NEEDS_APP_ACCESS: Final = (
    "Create an app password for {user} at the provider and put it where the reference points, or sign "
    "in with OAuth 2.0."
)
CHECK_SIGN_IN: Final = "Check the user name and what the reference resolves to. It was tried only once, so that the account is not locked."
CHECK_GRANT: Final = (
    "Check that the token is for {user}, and that the application may use this mailbox over this "
    "protocol: its permissions, and at Microsoft 365 the service principal's rights on the mailbox."
)
WAIT: Final = (
    "Wait a few minutes and test again; if it persists, test fewer connectors of this host at once."
)


class Rule(Struct, frozen=True, kw_only=True):
    """One meaning.

    Empty fields match anything; ``code``, ``status`` and ``text`` are patterns. ``command`` is
    the command that was answered; ``hosts`` are suffixes of host names; ``token`` distinguishes
    sign-ins with a token from those with a password. ``wrong_password``: other protocols would
    reject the password too. Cause and remedy may name {host}, {user} and {address}.
    """

    error_class: ErrorClass
    cause: str
    remedy: str
    protocol: Protocol | None = None
    stage: Stage | None = None
    command: str = ""
    code: str = ""
    status: str = ""
    text: str = ""
    hosts: tuple[str, ...] = ()
    token: bool | None = None
    wrong_password: bool = False

    def fits(
        self,
        protocol: Protocol,
        stage: Stage,
        command: str,
        reply: Reply,
        host: str,
        *,
        token: bool,
    ) -> bool:
        """Whether the rule matches an answer to a command."""
        return (
            self.protocol in (None, protocol)
            and self.stage in (None, stage)
            and (not self.command or command in self.command.split())
            and (not self.code or re.fullmatch(self.code, reply.code) is not None)
            and (not self.status or re.fullmatch(self.status, reply.status) is not None)
            and (not self.text or re.search(self.text, reply.text, re.IGNORECASE) is not None)
            and (not self.hosts or host.endswith(self.hosts))
            and self.token in (None, token)
        )
