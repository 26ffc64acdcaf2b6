"""Access tokens of OAuth 2.0: where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reconciler.mail.faults import MailFault

if TYPE_CHECKING:
    from reconciler.model.connector import OAuth2
    from reconciler.secrets.base import Secret, SecretResolver


class TokenSource(Protocol):
    """Issues access tokens. Implementations are safe to call from several threads."""

    def token(self, oauth2: OAuth2, username: str) -> Secret:
        """Obtain a token for a mailbox; raises TokenFault."""
        ...


class AuthlibTokens:
    def __init__(self, resolver: SecretResolver, ca_file: str | None = None) -> None:
        self._resolver = resolver

    def token(self, oauth2: OAuth2, username: str) -> Secret:
        raise MailFault("not yet")
