"""TLS: one verifying context for the whole process, and the contents of certificates.

A context takes some 40 ms to make, because it loads all authorities that the system trusts, and may be
shared by any number of threads.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.disk_fault import disk_fault
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def shared_context(*ca_files: str | None) -> ssl.SSLContext:
    """The context for every connection: chain and host name are verified, TLS is 1.2 or newer.

    ``ca_files`` are PEM files with authorities to trust in addition to the system's.
    Raises UsageError if one cannot be read or holds no certificate.
    """
    return _context(tuple((name, _changed_at(name)) for name in ca_files if name))


def _changed_at(ca_file: str) -> int:
    try:
        return Path(ca_file).stat().st_mtime_ns
    except (OSError, ValueError) as error:
        reason = disk_fault(error, ca_file).reason if isinstance(error, OSError) else "invalid name"
        raise _unusable(ca_file, reason) from None


@lru_cache(maxsize=32)
def _context(ca_files: tuple[tuple[str, int], ...]) -> ssl.SSLContext:
    return _new_context(tuple(name for name, _ in ca_files))


def _new_context(ca_files: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The defaults of Python since 3.13: the same certificates pass and fail on every version.
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    for ca_file in ca_files:
        try:
            context.load_verify_locations(cafile=ca_file)
        except ssl.SSLError:
            raise _unusable(ca_file, "it holds no PEM certificate") from None
        except OSError as error:
            raise _unusable(ca_file, disk_fault(error, ca_file).reason) from None
    return context


def client_context(ca_files: Iterable[str | None], certificate: str, key: str) -> ssl.SSLContext:
    """A context like that of :func:`shared_context`, for one account with a client certificate, in PEM.

    Raises UsageError, which quotes neither, if the two cannot be used.
    """
    import tempfile  # noqa: PLC0415 - few accounts show one

    context = _new_context(tuple(name for name in ca_files if name))
    try:
        with tempfile.TemporaryDirectory(prefix="reconciler-") as folder:  # of mode 0700
            path = Path(folder, "certificate.pem")
            path.touch(mode=0o600)
            path.write_text(certificate if key == certificate else f"{certificate}\n{key}\n")
            _load(context, path)
    except OSError as error:
        fault = disk_fault(error, tempfile.gettempdir())
        raise UsageError(
            f"the client certificate cannot be used: it needs a temporary file, and {fault.reason}",
            hint=f"{fault.remedy} TMPDIR names another folder.",
        ) from None
    return context


def _load(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_cert_chain(path, password=lambda: b"")
    except (OSError, ValueError):
        raise UsageError(
            "the client certificate cannot be used: it is not a PEM certificate with its key",
            hint="The key must be unencrypted, in `client_certificate` itself or in `client_key`.",
        ) from None


def unverified_context() -> ssl.SSLContext:
    """A context without verification: only for examining a rejected certificate.

    Nothing may be sent over it, least of all a credential.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(ca_file: str | None, reason: str | None) -> UsageError:
    return UsageError(
        f"the CA file {ca_file} cannot be used: {reason}",
        hint="Name a PEM file with the certificates of the authorities to trust.",
    )


class PeerCertificate(Struct, frozen=True):
    """The contents of a verified certificate; the names come from the server."""

    version: str
    issuer: str
    not_after: datetime

    @classmethod
    def of(cls, sock: ssl.SSLSocket) -> PeerCertificate:
        """Read it from a connection whose handshake is done."""
        certificate = sock.getpeercert() or {}
        not_after = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        names = _names(certificate.get("issuer", ()))
        return cls(
            version=sock.version() or "TLS",
            issuer=names.get("organizationName") or names.get("commonName") or "",
            not_after=datetime.fromtimestamp(not_after, tz=UTC),
        )

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires."""
        return (self.not_after - now).days


def _names(parts: object) -> dict[str, str]:
    # A sequence of relative distinguished names, each a sequence of pairs (ssl.SSLSocket.getpeercert).
    found: dict[str, str] = {}
    for part in parts if isinstance(parts, tuple) else ():
        pairs: Iterable[tuple[str, str]] = part
        found.update(pairs)
    return found


class Certificate(Struct, frozen=True):
    """One certificate of a chain.

    ``hosts`` are the names that it is valid for; all names come from the server.
    """

    subject: str
    issuer: str
    not_after: datetime
    hosts: tuple[str, ...] = ()

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires; negative once it has."""
        return (self.not_after - now).days


def chain(sock: ssl.SSLSocket) -> tuple[Certificate, ...]:
    """The chain of a connection, the server's own certificate first.

    A verified chain ends with the trusted authority; otherwise it is the chain as sent.
    """
    verified = sock.context.verify_mode is not ssl.CERT_NONE
    # There is a public method since Python 3.13, but it gives DER, which only this object can read.
    found: Any = sock._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    listed = found.get_verified_chain() if verified else found.get_unverified_chain()
    return tuple(_certificate(item.get_info()) for item in listed or ())


def _certificate(info: dict[str, Any]) -> Certificate:
    subject, issuer = _names(info.get("subject", ())), _names(info.get("issuer", ()))
    return Certificate(
        subject=subject.get("commonName") or subject.get("organizationName") or "",
        issuer=issuer.get("commonName") or issuer.get("organizationName") or "",
        not_after=datetime.fromtimestamp(ssl.cert_time_to_seconds(info["notAfter"]), tz=UTC),
        hosts=tuple(name for kind, name in info.get("subjectAltName", ()) if kind == "DNS"),
    )
