"""Made-up keys for connectors: valid, but of no use outside the sandbox."""

from __future__ import annotations

import json
import uuid

import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_EXPONENT = 65537
_BITS = 2048


def certificate() -> str:
    """Make a certificate and its key, in PEM; RSA, because Microsoft accepts nothing else."""
    issued = trustme.CA(
        organization_name="reconciler sandbox", key_type=trustme.KeyType.RSA
    ).issue_cert("application.sandbox.invalid", key_type=trustme.KeyType.RSA)
    return issued.private_key_and_cert_chain_pem.bytes().decode("ascii")


def service_account_key() -> str:
    """Make the key of a service account, in Google's JSON format."""
    key = rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    account = {
        "type": "service_account",
        "project_id": "sandbox",
        "private_key_id": uuid.uuid4().hex,
        "private_key": pem,
        "client_email": "reconciler@sandbox.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return json.dumps(account)
