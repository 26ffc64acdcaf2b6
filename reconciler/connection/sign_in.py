"""What one half of a connector signs in with: its secrets are resolved first, a token when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.connection.errors import HostNotAllowed
from reconciler.mail.credentials import BearerToken, Password, check_sendable
from reconciler.mail.redaction import Redactor

if TYPE_CHECKING:
    from reconciler.connection.account import Account
    from reconciler.connection.options import ProbeOptions
    from reconciler.mail.credentials import Credential
    from reconciler.mail.deadline import Deadline
    from reconciler.mail.oauth import TokenSource
    from reconciler.secrets.base import Secret, SecretResolver


class SignIn:
    """The secrets of one half, and ``redactor``, which from then on shows no text that holds one."""

    def __init__(
        self, account: Account, resolver: SecretResolver, options: ProbeOptions, tokens: TokenSource
    ) -> None:
        self.redactor = Redactor()
        self._account = account
        self._resolver = resolver
        self._options = options
        self._tokens = tokens
        self._password: Secret | None = None

    def prepare(self) -> str:
        """Resolve every secret and name the references.

        Raises HostNotAllowed before anything is resolved, SecretError, or Unsendable.
        """
        account = self._account
        for host in _hosts(account):
            if not self._options.allows_host(host):
                raise HostNotAllowed(host)
        for reference in account.settings.references:
            secret = self._resolver.resolve(reference)
            self.redactor.learn(secret)
            if reference == account.settings.password:
                self._password = secret
                check_sendable(Password(account.username, secret))
                # How PLAIN writes it: a server that quotes the start of that quotes some of the secret.
                self.redactor.learn_encoded(f"\0{account.username}\0{secret.reveal()}")
        return ", ".join(str(reference) for reference in account.settings.references)

    def credential(self, deadline: Deadline) -> Credential:
        """The password, or a token that is good for a while yet; ``prepare`` comes first."""
        account = self._account
        if self._password is not None:
            return Password(account.username, self._password)
        if account.settings.oauth2 is None:
            raise RuntimeError("there is no credential")
        token = self._tokens.token(account.settings.oauth2, account.username, deadline)
        self.redactor.learn(token)
        return BearerToken(account.username, token)


def _hosts(account: Account) -> tuple[str, ...]:
    """Every host that gets to see a credential."""
    oauth2 = account.settings.oauth2
    if oauth2 is None or oauth2.token_endpoint is None:
        return (account.host,)
    return (account.host, urlsplit(oauth2.token_endpoint).hostname or "")
