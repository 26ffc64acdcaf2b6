"""The sandbox's certificate authority. It exists only during a run; its key is never written to disk."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import trustme

from reconciler.errors import SandboxError

LIFETIME = timedelta(days=90)
"""The validity of certificates, similar to that of public authorities."""


class Authority:
    """Signs a certificate for each host that the sandbox stands in for."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="reconciler sandbox")
        self._not_after = datetime.now(UTC) + LIFETIME
        self._contexts: dict[str, ssl.SSLContext] = {}

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, which clients must trust, in PEM."""
        return self._ca.cert_pem.bytes()

    def context_for(self, host: str) -> ssl.SSLContext:
        """Make the TLS context of a server for exactly this host, a name or an IP address.

        Raises SandboxError for a host without a valid certificate name.
        """
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:
                certificate = self._ca.issue_cert(host, not_after=self._not_after)
            except ValueError:
                raise SandboxError(
                    f"the sandbox cannot make a certificate for the host {host!r}",
                    hint="Correct the server's name; expected a DNS name or an IP address.",
                ) from None
            certificate.configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]
