"""What it takes to open sessions: where secrets and tokens come from, and the options of a connection."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.connection.options import ProbeOptions
from reconciler.mail.oauth import TokenSource
from reconciler.secrets.base import SecretResolver


@dataclass(frozen=True, slots=True)
class Access:
    """Shared by all sessions of a run of tests, or of a mailer.

    The options' ``timeout`` is that of a whole test; where mail is sent, of one connection or command.
    """

    resolver: SecretResolver
    tokens: TokenSource
    options: ProbeOptions
