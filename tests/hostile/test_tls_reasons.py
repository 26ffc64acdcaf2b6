"""Each way TLS can fail keeps its reason, in our own words, on every version of Python."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.connection.account import accounts
from reconciler.connection.certificates import reason_failure, tls_failure
from reconciler.connection.context import FailureContext
from reconciler.connection.failure import ErrorClass, Stage
from reconciler.mail.redaction import Redactor
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from tests.builders import connector
from tests.hostile.conftest import HOST
from tests.hostile.scripts import imap, smtp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hostile.conftest import Attack, Certificates, Found

    Issue = Callable[..., ssl.SSLContext]

SERVERS = {Protocol.IMAP: imap, Protocol.SMTP: smtp}
NOW = datetime.now(UTC)
WEAK = rsa.generate_private_key(65537, 1024)
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "between", "leaf")}


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    subject: str,
    issuer: str,
    key: Any,
    signer: Any,
    *,
    ca: bool = False,
    key_usage: bool = True,
    key_identifiers: bool = True,
    purpose: x509.ObjectIdentifier | None = None,
    since: timedelta = timedelta(days=-2),
    until: timedelta = timedelta(days=30),
) -> x509.Certificate:
    """Make a certificate that is valid except for what a test breaks."""
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + since)
        .not_valid_after(NOW + until)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if not ca:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    if ca and key_usage:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = made.add_extension(usage, critical=True)
    if purpose is not None:
        made = made.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if ca or key_identifiers:
        made = made.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    if key_identifiers:
        made = made.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    return made.sign(signer, hashes.SHA256())


@pytest.fixture
def issue(tmp_path: Path, certificates: Certificates) -> Issue:
    """Make a server's context of certificates; the authority ``root`` becomes one that is trusted."""

    def context(
        *chain: x509.Certificate, key: Any = KEYS["leaf"], root: Any = None
    ) -> ssl.SSLContext:
        pem = b"".join(item.public_bytes(serialization.Encoding.PEM) for item in chain)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = tmp_path / "server.pem"
        path.write_bytes(secret + pem)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.load_cert_chain(path)
        if root is not None:
            own = tmp_path / "ca.pem"
            own.write_bytes(root.public_bytes(serialization.Encoding.PEM))
            certificates.ca_file = own
        return made

    return context


@pytest.fixture(autouse=True)
def _the_authority_of_the_others(certificates: Certificates) -> Any:
    before = certificates.ca_file
    yield
    certificates.ca_file = before


ROOT = certificate("Root", "Root", KEYS["root"], KEYS["root"], ca=True)


LEAF, SIGNER, BETWEEN = KEYS["leaf"], KEYS["root"], KEYS["between"]
MIDDLE = certificate("Between", "Root", BETWEEN, SIGNER)
BARE = certificate("Root", "Root", SIGNER, SIGNER, ca=True, key_usage=False)

Chain = tuple[tuple[x509.Certificate, ...], Any, x509.Certificate | None]
"""What a server sends, its key, and the root that is trusted."""


def _signed(**flaw: Any) -> Chain:
    return (certificate(HOST, "Root", LEAF, SIGNER, **flaw),), LEAF, ROOT


CHAINS: dict[str, Chain] = {
    "nothing": _signed(),
    "weak key": ((certificate(HOST, "Root", WEAK, SIGNER),), WEAK, ROOT),
    "purpose": _signed(purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
    "no identifier": _signed(key_identifiers=False),
    "not yet valid": _signed(since=timedelta(days=2)),
    "expired": _signed(until=timedelta(days=-1)),
    "self-signed": ((certificate(HOST, HOST, LEAF, LEAF),), LEAF, ROOT),
    "unknown root": ((*_signed()[0], ROOT), LEAF, None),
    "unknown authority": (_signed()[0], LEAF, None),
    "intermediate left out": ((certificate(HOST, "Between", LEAF, BETWEEN),), LEAF, ROOT),
    "not an authority": ((certificate(HOST, "Between", LEAF, BETWEEN), MIDDLE), LEAF, ROOT),
    "no key usage": (_signed()[0], LEAF, BARE),
}


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize(
    ("flaw", "error_class", "said"),
    [
        ("weak key", ErrorClass.CERT_UNTRUSTED, "has a key that is too weak"),
        ("purpose", ErrorClass.CERT_UNTRUSTED, "is not meant for servers"),
        ("no identifier", ErrorClass.CERT_UNTRUSTED, "lacks the identifier of its authority's key"),
        ("not yet valid", ErrorClass.CERT_EXPIRED, "is not valid yet"),
        ("expired", ErrorClass.CERT_EXPIRED, "has expired"),
        ("self-signed", ErrorClass.CERT_UNTRUSTED, "is self-signed"),
        (
            "unknown root",
            ErrorClass.CERT_UNTRUSTED,
            "root authority that this machine does not trust",
        ),
        (
            "unknown authority",
            ErrorClass.CERT_UNTRUSTED,
            "authority that this machine does not know",
        ),
        (
            "intermediate left out",
            ErrorClass.CERT_UNTRUSTED,
            "authority that this machine does not know",
        ),
        ("not an authority", ErrorClass.CERT_UNTRUSTED, "may issue none"),
        ("no key usage", ErrorClass.CERT_UNTRUSTED, "does not say what its key may be used for"),
    ],
)
def test_each_flaw_of_a_certificate_has_its_own_explanation(
    attack: Attack, issue: Issue, protocol: Protocol, flaw: str, error_class: ErrorClass, said: str
) -> None:
    chain, key, root = CHAINS[flaw]
    found = attack(protocol, SERVERS[protocol](), context=issue(*chain, key=key, root=root))
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, error_class), failure
    assert said in failure.cause
    assert failure.reply, "OpenSSL's own words are kept"


def test_a_certificate_without_a_flaw_passes(attack: Attack, issue: Issue) -> None:
    chain, key, root = CHAINS["nothing"]
    found = attack(Protocol.SMTP, smtp(), context=issue(*chain, key=key, root=root))
    assert found.result.failed is None, found.result


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_asks_for_a_client_certificate_is_reported(
    attack: Attack, issue: Issue, protocol: Protocol, version: ssl.TLSVersion
) -> None:
    """With TLS 1.3 the client learns of it after the handshake, by an alert where a greeting should be."""
    chain, key, root = CHAINS["nothing"]
    context = issue(*chain, key=key, root=root)
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    stage, failure = attack(protocol, SERVERS[protocol](), context=context).failure
    assert stage in (Stage.TLS, Stage.CAPABILITIES)
    assert failure.error_class is ErrorClass.PROTOCOL
    assert not failure.error_class.unreachable
    assert "asks for a client certificate" in failure.cause


def test_a_server_without_tls_1_2_is_reported(attack: Attack, certificates: Certificates) -> None:
    old = certificates.old
    with pytest.deprecated_call():
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    found: Found = attack(Protocol.IMAP, imap(), context=old, security=Security.IMPLICIT)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.PROTOCOL)
    assert failure.cause == f"{HOST} speaks no TLS 1.2 or newer."


@pytest.mark.parametrize("code", [2, 7, 23, 24, 25, 47, 66, 67, 68, 79, 85, 86, 92, 94, 4711])
def test_every_code_has_an_explanation(code: int) -> None:
    error = ssl.SSLCertVerificationError("failed")
    error.verify_code, error.verify_message = code, "OpenSSL's words"
    failure = tls_failure(error, _where())
    assert "smtp.contoso.example" in failure.cause
    assert failure.reply == "OpenSSL's words"
    assert failure.remedy.endswith(".")


def test_an_unknown_reason_is_named() -> None:
    failure = reason_failure("SOMETHING_NEW", _where())
    assert failure.cause == "TLS with smtp.contoso.example failed (something new)."


def _where() -> FailureContext:
    return FailureContext(accounts(connector("support"))[1], Stage.TLS, Redactor())
