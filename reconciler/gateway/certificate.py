"""The gateway's certificate and key: files or references, checked for changes while it runs."""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.disk_fault import disk_fault
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.gateway.settings import PemSource
    from reconciler.secrets.base import Secret

FETCHED_AGAIN: Final = 60.0
"""Seconds before a reference is fetched again unless it is a file: it may run a program."""


class ServedCertificate:
    """Reads the certificate with its key, and detects changes. Used by one thread at a time.

    Without ``key``, the private key is in ``certificate``. ``fetch`` resolves a reference
    without caching; it raises SecretError. Only a digest of the contents is kept.
    """

    def __init__(
        self,
        certificate: PemSource | None,
        key: PemSource | None,
        fetch: Callable[[SecretRef], Secret],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._certificate = certificate
        self._sources = [item for item in (certificate, key) if item is not None]
        self._fetch = fetch
        self._clock = clock
        self._digest = b""
        self._read_again = clock()
        self._is_local = all(
            isinstance(item, Path) or item.scheme == "file" for item in self._sources
        )

    def read(self) -> bytes | None:
        """Return the current pair; None if unchanged.

        Raises UsageError and SecretError; may block.
        """
        if self._certificate is None:
            raise UsageError(
                "the gateway has no certificate", hint="Name one with --certificate and --key."
            )
        if not self._is_local:
            if self._clock() < self._read_again:
                return None
            self._read_again = self._clock() + FETCHED_AGAIN
        try:
            pem = b"\n".join(self._text(item) for item in self._sources)
        except ReconcilerError:
            self._digest = b""
            raise
        digest = hashlib.sha256(pem).digest()
        if digest == self._digest:
            return None
        self._digest = digest
        return pem

    def load(self, pem: bytes, context: ssl.SSLContext) -> None:
        """Load them into a context; raises UsageError.

        On failure, the context keeps its old certificate.
        """
        try:
            # Try a separate context first: a key that does not match would leave half of the pair.
            _load(pem, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            _load(pem, context)
        except (OSError, ValueError):
            raise self._unusable("not PEM with the key that belongs to it") from None

    def _text(self, source: PemSource) -> bytes:
        if isinstance(source, SecretRef):
            return self._fetch(source).reveal().encode()
        try:
            return source.read_bytes()
        except OSError as error:
            raise self._unusable(f"{source}: {disk_fault(error, source).reason}") from None

    def _unusable(self, why: str) -> UsageError:
        return UsageError(f"the certificate {self._certificate} cannot be used: {why}")


def _load(pem: bytes, context: ssl.SSLContext) -> None:
    """Load a certificate and a key; OpenSSL needs files, so create one in memory if possible."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
        return
    with tempfile.NamedTemporaryFile() as file:  # readable by its owner alone
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name, password=_no_password)


def _no_password() -> str:
    raise ValueError("the key is encrypted")
