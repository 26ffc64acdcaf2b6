from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from reconciler.errors import UsageError
from reconciler.mail.tls import shared_context

if TYPE_CHECKING:
    from pathlib import Path


def test_there_is_one_context_and_it_verifies() -> None:
    context = shared_context(None)
    assert context is shared_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_file_adds_to_what_the_system_trusts(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    context = shared_context(str(path))
    assert context is shared_context(str(path))
    assert context is not shared_context(None)
    assert len(context.get_ca_certs()) == len(shared_context(None).get_ca_certs()) + 1
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_an_invalid_file_is_a_usage_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match="cannot be used"):
        shared_context(str(path))
    with pytest.raises(UsageError, match="cannot be used"):
        shared_context(str(tmp_path))
