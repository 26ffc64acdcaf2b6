"""The secrets of one account: resolved before a connection is made, turned into a credential after TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.connection.errors import AlreadyRejected, HostNotAllowed
from reconciler.connection.rejections import Rejections
from reconciler.mail.credentials import BearerToken, Password, check_sendable
from reconciler.mail.redaction import Redactor

if TYPE_CHECKING:
    from reconciler.connection.access import Access
    from reconciler.connection.account import Account
    from reconciler.mail.credentials import Credential
    from reconciler.mail.deadline import Deadline
    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.base import Secret


class AccountSecrets:
    """The secrets of an account, and ``redactor``, which hides every text that repeats one of them.

    A password that ``rejections`` knows as rejected is not sent again. ``spent`` is a sentence
    if fetching a token has used up the named refresh token.
    """

    def __init__(
        self, account: Account, access: Access, rejections: Rejections | None = None
    ) -> None:
        self.redactor = Redactor()
        for public in (account.host, account.username, account.address):
            self.redactor.allow(public)
        self._account = account
        self._access = access
        self._rejections = rejections or Rejections()
        self._password: Secret | None = None
        self.spent = ""
        self._username = account.username
        self._shown: dict[SecretRef, Secret] = {}

    def resolve(self) -> str:
        """Resolve every secret and return the references, for a report.

        Raises HostNotAllowed before anything is resolved, SecretError, or Unsendable.
        """
        account = self._account
        for host in _hosts(account):
            if not self._access.options.allows_host(host):
                raise HostNotAllowed(host)
        for reference in account.settings.references:
            secret = self._access.resolver.resolve(reference)
            self.redactor.learn(secret)
            if reference == account.settings.username_reference:
                self._username = secret.reveal()
            if reference in (account.settings.client_certificate, account.settings.client_key):
                self._shown[reference] = secret
            if reference == account.settings.password:
                self._password = secret
                check_sendable(Password(self._username, secret))
        return ", ".join(str(reference) for reference in account.settings.references)

    @property
    def client_certificate(self) -> tuple[Secret, Secret] | None:
        """The client certificate and its key; requires ``resolve`` first."""
        settings = self._account.settings
        if settings.client_certificate is None:
            return None
        certificate = self._shown[settings.client_certificate]
        return certificate, self._shown[settings.client_key] if settings.client_key else certificate

    def credential(self, deadline: Deadline) -> Credential:
        """Return the password, or a token that stays valid for a while; requires ``resolve`` first.

        Raises AlreadyRejected, or what fetching a token raises.
        """
        account = self._account
        if (host := self._rejections.host(account)) is not None:
            raise AlreadyRejected(host)
        if self._password is not None:
            return Password(self._username, self._password)
        if account.settings.oauth2 is None:
            raise RuntimeError("the account has no credential")
        token = self._access.tokens.token(
            account.settings.oauth2,
            self._username,
            deadline,
            self._access.options.authority_of(account.connector),
        )
        self.redactor.learn(token)
        self.spent = self._access.tokens.spent(account.settings.oauth2)
        return BearerToken(self._username, token)


def _hosts(account: Account) -> tuple[str, ...]:
    """Return every host that receives a credential of the account."""
    oauth2 = account.settings.oauth2
    if oauth2 is None or oauth2.token_endpoint is None:
        return (account.host,)
    return (account.host, urlsplit(oauth2.token_endpoint).hostname or "")
