from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SandboxError
from reconciler.model.secret_ref import SecretRef
from reconciler.sandbox.references import exports_of, secret_behind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.model.connector import Connector, MailServer
    from reconciler.sandbox.seed import Seed


def test_a_password_from_a_file_is_what_the_file_holds(
    tmp_path: Path, seed: Seed, connector: Callable[..., Connector]
) -> None:
    (tmp_path / "password").write_text("Grüße\n\n")
    for target in ("password", str(tmp_path / "password")):
        secret = secret_behind(SecretRef("file", target), connector(), seed, base=tmp_path)
        assert secret.reveal() == "Grüße\n"


def test_a_file_that_is_missing_is_reported_with_reference_and_connector(
    tmp_path: Path, seed: Seed, connector: Callable[..., Connector]
) -> None:
    reference = SecretRef("file", "/nowhere/password")
    with pytest.raises(SandboxError) as raised:
        secret_behind(reference, connector("payroll"), seed, base=tmp_path)
    assert "file:/nowhere/password" in raised.value.message
    assert "EmailConnector.payroll" in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize("scheme", ["keyring", "command", "vault"])
def test_an_unsupported_scheme_is_reported(
    scheme: str, tmp_path: Path, seed: Seed, connector: Callable[..., Connector]
) -> None:
    with pytest.raises(SandboxError, match=rf"{scheme}:x of EmailConnector\.support"):
        secret_behind(SecretRef(scheme, "x"), connector(), seed, base=tmp_path)


def test_every_variable_is_exported_once_and_those_of_drafts_too(
    seed: Seed,
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
    smtp: Callable[..., MailServer],
) -> None:
    connectors = (
        connector("b", imap=imap(password="env:B"), smtp=smtp(password="env:B")),
        connector("a", imap=imap(password="env:A"), draft=True),
        connector("c", imap=imap(password="file:/etc/motd")),
    )
    exports = exports_of(connectors, seed)
    assert [name for name, _ in exports] == ["A", "B"]
    assert dict(exports)["A"] == seed.password(SecretRef("env", "A"))


@pytest.mark.parametrize("name", ["PATH", "RECONCILER_STATE", "A=B"])
def test_a_variable_that_cannot_be_set_is_rejected(
    name: str,
    seed: Seed,
    connector: Callable[..., Connector],
    imap: Callable[..., MailServer],
) -> None:
    with pytest.raises(SandboxError, match=rf"env:{name} of EmailConnector\.support"):
        exports_of((connector(imap=imap(password=f"env:{name}")),), seed)
