"""The certificate is read again when it may have changed, and a mismatched pair is never served."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from reconciler.errors import SecretError, UsageError
from reconciler.gateway.certificate import FETCHED_AGAIN, ServedCertificate
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets.base import Secret

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY = trustme.CA()


def pair() -> tuple[bytes, bytes]:
    """A certificate with its chain, and its key."""
    made = AUTHORITY.issue_cert("localhost")
    return b"".join(item.bytes() for item in made.cert_chain_pems), made.private_key_pem.bytes()


def test_a_reference_that_is_not_a_file_is_fetched_again_after_a_minute() -> None:
    now, asked = 0.0, []
    values = dict(
        zip(("command:cert", "command:key"), (item.decode() for item in pair()), strict=True)
    )

    def fetch(reference: SecretRef) -> Secret:
        asked.append(str(reference))
        return Secret(values[str(reference)])

    served = ServedCertificate(
        SecretRef.parse("command:cert"), SecretRef.parse("command:key"), fetch, lambda: now
    )
    first = served.read()
    assert first is not None
    served.load(first, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    values["command:cert"], values["command:key"] = (item.decode() for item in pair())
    now = FETCHED_AGAIN - 1
    assert served.read() is None
    assert asked == ["command:cert", "command:key"]
    now = FETCHED_AGAIN
    second = served.read()
    assert second not in (None, first)
    now = 2 * FETCHED_AGAIN
    assert served.read() is None
    assert len(asked) == 6


def test_a_secret_that_is_away_for_a_while_is_served_again() -> None:
    is_away = False

    def fetch(reference: SecretRef) -> Secret:
        if is_away:
            raise SecretError(f"the secret {reference} is away")
        return Secret(b"".join(pair_of_all).decode())

    pair_of_all = pair()
    served = ServedCertificate(SecretRef.parse("file:/run/tls.pem"), None, fetch)
    assert served.read() is not None
    is_away = True
    with pytest.raises(SecretError):
        served.read()
    is_away = False
    assert served.read() is not None
    assert served.read() is None


def test_a_key_that_does_not_fit_leaves_the_context_as_it_was(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    good = pair()
    certificate.write_bytes(good[0])
    key.write_bytes(good[1])
    served = ServedCertificate(certificate, key, lambda reference: pytest.fail(str(reference)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = served.read()
    assert pem is not None
    served.load(pem, context)
    certificate.write_bytes(pair()[0])
    half = served.read()
    assert half is not None
    with pytest.raises(UsageError, match="the key that belongs to it"):
        served.load(half, context)
    assert handshake(context) == ssl.PEM_cert_to_DER_cert(
        good[0].decode().partition("-----END")[0] + "-----END CERTIFICATE-----\n"
    )


def handshake(context: ssl.SSLContext) -> bytes | None:
    """The certificate that a client sees, without a network."""
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.getpeercert(binary_form=True)
