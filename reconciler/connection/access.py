"""What opening sessions needs: sources of secrets and tokens, and the connection's options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from msgspec import Struct

from reconciler.mail.oauth import AuthlibTokens, TokenSource

if TYPE_CHECKING:
    from reconciler.connection.options import ProbeOptions
    from reconciler.secrets.base import SecretResolver


class Access(Struct, frozen=True):
    """Shared by all sessions of a run of tests, or of a mailer.

    The options' ``timeout`` covers a whole test; for sending, one connection or command.
    """

    resolver: SecretResolver
    tokens: TokenSource
    options: ProbeOptions

    @classmethod
    def with_tokens(cls, resolver: SecretResolver, options: ProbeOptions) -> Self:
        """Make one that fetches access tokens by itself, and keeps them in memory."""
        tokens = AuthlibTokens(
            resolver,
            connect_to=options.connect_to,
            ca_file=options.ca_file,
            proxies=options.proxies,
            winners=options.winners,
        )
        return cls(resolver, tokens, options)
