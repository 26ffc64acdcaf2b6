"""The certificates that the servers present: good ones, and one for each flaw."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import trustme

if TYPE_CHECKING:
    from pathlib import Path

NAMES: Final = tuple(
    f"{name}.contoso.example" for name in ("imap", "smtp", "mail", "bearer", "login", "relay")
)
"""The names in the good certificate."""

EXPIRED: Final = "expired.contoso.example"
UNTRUSTED: Final = "untrusted.contoso.example"
ELSEWHERE: Final = "elsewhere.contoso.example"
"""A name that resolves to the servers and is in none of their certificates."""

_LONG_AGO: Final = datetime(2001, 1, 1, tzinfo=UTC)
_ALSO_PAST: Final = datetime(2002, 1, 1, tzinfo=UTC)


class Authority:
    """The tests' own certificate authority, and a second one that nobody trusts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca = trustme.CA()
        self._stranger = trustme.CA()
        self.certificate = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.certificate))
        self.good = self._write("good", self._ca.issue_cert(*NAMES))
        self.untrusted = self._write("untrusted", self._stranger.issue_cert(UNTRUSTED))
        self.expired = self._write(
            "expired", self._ca.issue_cert(EXPIRED, not_before=_LONG_AGO, not_after=_ALSO_PAST)
        )

    def client(self, name: str, *, stranger: bool = False) -> tuple[str, str]:
        """Issue a certificate for a client: itself and its key, in PEM."""
        issued = (self._stranger if stranger else self._ca).issue_cert(name)
        certificate = issued.cert_chain_pems[0].bytes().decode()
        return certificate, issued.private_key_pem.bytes().decode()

    def _write(self, name: str, issued: trustme.LeafCert) -> Path:
        """Write key and chain to one file, which Dovecot and Postfix both accept."""
        path = self.folder / f"{name}.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        path.chmod(0o644)
        return path
