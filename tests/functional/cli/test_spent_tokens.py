"""Connectors whose refresh token is replaced by use, from the command line, in a sandbox that replaces it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.config.load import load
from reconciler.sandbox.session import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import Home

CONNECTOR = """\
kind: EmailConnector
name: support
provider: microsoft365
imap:
  username: support@contoso.example
  oauth2:
    grant: refresh_token
    tenant: contoso.example
    client_id: 00000000-0000-0000-0000-000000000001
    refresh_token: file:tokens/support
    scopes: [https://outlook.office.com/IMAP.AccessAsUser.All, https://outlook.office.com/SMTP.Send, offline_access]
enable_mail_send_from: true
smtp: {email_address: support@contoso.example, use_same_credentials: true}
"""
FIRST = "sandbox-the-first-one\n"


@pytest.fixture
def token(bare: Home) -> Path:
    path = bare.folder / "tokens" / "support"
    path.parent.mkdir(mode=0o700)
    path.write_text(FIRST)
    path.chmod(0o600)
    return path


@pytest.fixture
def home(bare: Home, token: Path, tmp_path: Path) -> Iterator[Home]:
    bare.write("support.yaml", CONNECTOR)
    snapshot = load(bare.config).snapshot
    assert snapshot is not None
    with Sandbox(snapshot.connectors, tmp_path / "sandbox", base=bare.folder) as session:
        kept = {"RECONCILER_CONNECT_TO", "RECONCILER_CA_FILE"}
        bare.environ |= {name: session.environment[name] for name in kept}
        yield bare


def test_every_run_works_and_none_looks_like_a_rotation(home: Home, token: Path) -> None:
    seen = [token.read_text()]
    commands = (
        ("apply", "--auto-approve"), ("test", "support"), ("test", "support"), ("apply", "--auto-approve"),
    )  # fmt: skip
    done = home("validate")
    for command in commands:
        done = home(*command)
        assert done.status == 0, done.said
        assert "spent" not in done.said
        assert "sandbox-" not in done.said
        seen.append(token.read_text())
    assert "No changes" in done.said  # so that nothing was tested, and nothing used up
    assert len(set(seen)) == 4
    for arguments in (("plan",), ("plan", "--check-secrets")):
        done = home(*arguments, "--detailed-exitcode")
        assert done.status == 0, done.said


def test_test_and_apply_report_a_token_that_cannot_be_kept(home: Home, token: Path) -> None:
    token.parent.chmod(0o777)
    done = home("apply", "--auto-approve")
    assert done.status == 0, done.said
    assert done.said.count("Warning: login.microsoftonline.com issued a new refresh token") == 1
    assert "file:tokens/support names is spent" in done.said
    token.parent.chmod(0o700)
    failed = home("test")
    assert failed.status == 4
    assert token.read_text() == FIRST


def test_the_report_holds_the_warning(home: Home, token: Path) -> None:
    token.parent.chmod(0o777)
    done = home("test", "--format", "json")
    (connector,) = json.loads(done.out)["connectors"]
    warnings = {
        stage["warning"] for protocol in connector["protocols"] for stage in protocol["stages"]
    }
    assert any("is spent" in text for text in warnings)
    assert "sandbox-" not in done.said
