"""What one half of a connector signs in with: its secrets are resolved first, a token when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.mail.credentials import BearerToken, Password, check_sendable
from reconciler.mail.discretion import Discretion
from reconciler.probe.faults import HostNotAllowed

if TYPE_CHECKING:
    from reconciler.mail.credentials import Credential
    from reconciler.mail.deadline import Deadline
    from reconciler.mail.oauth import TokenSource
    from reconciler.probe.half import Half
    from reconciler.probe.options import ProbeOptions
    from reconciler.secrets.base import Secret, SecretResolver


class SignIn:
    """The secrets of one half, and ``discretion``, which from then on shows no text that holds one."""

    def __init__(
        self, half: Half, resolver: SecretResolver, options: ProbeOptions, tokens: TokenSource
    ) -> None:
        self.discretion = Discretion()
        self._half = half
        self._resolver = resolver
        self._options = options
        self._tokens = tokens
        self._password: Secret | None = None

    def prepare(self) -> str:
        """Resolve every secret and name the references.

        Raises HostNotAllowed before anything is resolved, SecretError, or Unsendable.
        """
        half = self._half
        for host in _hosts(half):
            if not self._options.allows_host(host):
                raise HostNotAllowed(host)
        for reference in half.settings.references:
            secret = self._resolver.resolve(reference)
            self.discretion.learn(secret)
            if reference == half.settings.password:
                self._password = secret
                check_sendable(Password(half.username, secret))
                # How PLAIN writes it: a server that quotes the start of that quotes some of the secret.
                self.discretion.learn_encoded(f"\0{half.username}\0{secret.reveal()}")
        return ", ".join(str(reference) for reference in half.settings.references)

    def credential(self, deadline: Deadline) -> Credential:
        """The password, or a token that is good for a while yet; ``prepare`` comes first."""
        half = self._half
        if self._password is not None:
            return Password(half.username, self._password)
        if half.settings.oauth2 is None:
            raise RuntimeError("there is no credential")
        token = self._tokens.token(half.settings.oauth2, half.username, deadline)
        self.discretion.learn(token)
        return BearerToken(half.username, token)


def _hosts(half: Half) -> tuple[str, ...]:
    """Every host that gets to see a credential."""
    oauth2 = half.settings.oauth2
    if oauth2 is None or oauth2.token_endpoint is None:
        return (half.host,)
    return (half.host, urlsplit(oauth2.token_endpoint).hostname or "")
