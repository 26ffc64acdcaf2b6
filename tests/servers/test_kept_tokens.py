"""A refresh token that changes with each use, at Dovecot and Postfix: obtained once, valid for every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.cli.main import main
from reconciler.connection.failure import ErrorClass
from reconciler.model.connector import Grant, OAuth2
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.secrets.registry import Resolver
from reconciler.values import replace
from tests.servers.accounts import SUPPORT
from tests.servers.authorisation import DELEGATED, TENANT
from tests.servers.site import IMAP, SMTP
from tests.servers.test_oauth2 import site, support_with

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.probe.result import ConnectorResult
    from tests.servers.authorisation import AuthorisationServer
    from tests.servers.site import Site

__all__ = ["site"]
pytestmark = pytest.mark.server

CONNECTOR = f"""\
kind: EmailConnector
name: support
imap:
  server: {IMAP}
  port: 993
  use_ssl: true
  username: {SUPPORT.username}
  oauth2: {{grant: refresh_token, client_id: {DELEGATED.client_id}, token_endpoint: "{TENANT}/token",
           scopes: [mail, offline_access], refresh_token: "file:token"}}
enable_mail_send_from: true
smtp: {{server: {SMTP}, port: 465, use_ssl: true, email_address: {SUPPORT.username}, use_same_credentials: true}}
"""


@pytest.fixture
def file(tmp_path: Path, authorisation: AuthorisationServer) -> Path:
    authorisation.refresh_token = "0.the-first-refresh-token"
    tmp_path.chmod(0o700)
    path = tmp_path / "token"
    path.write_text(authorisation.refresh_token)
    path.chmod(0o600)
    return path


def probe(site: Site, reference: str, folder: Path) -> ConnectorResult:
    """Test the account in a run of its own, which fetches its own token."""
    oauth2 = OAuth2(
        grant=Grant.REFRESH_TOKEN,
        client_id=DELEGATED.client_id,
        token_endpoint=f"{TENANT}/token",
        scopes=("mail", "offline_access"),
        refresh_token=SecretRef.parse(reference),
    )
    environ = {**site.environ, "REFRESH": (folder / "token").read_text()}
    resolver = Resolver(environ, allow_command=False, base=folder)
    (result,) = run((support_with(oauth2),), resolver, replace(site.options, retries=0))
    return result


def test_each_run_uses_the_refresh_token_that_the_last_one_kept(
    site: Site, authorisation: AuthorisationServer, file: Path
) -> None:
    for _ in range(3):
        result = probe(site, "file:token", file.parent)
        assert result.passed, result.failures
        assert file.read_text() == authorisation.refresh_token
    assert len(authorisation.requests) == 3


def test_a_token_that_cannot_be_kept_is_reported_as_spent_and_then_is(
    site: Site, file: Path
) -> None:
    first = probe(site, "env:REFRESH", file.parent)
    assert first.passed
    warnings = {stage.warning for half in first.protocols for stage in half.stages} - {""}
    assert [text for text in warnings if "env:REFRESH names is spent" in text] == list(warnings)
    assert warnings
    second = probe(site, "env:REFRESH", file.parent)
    assert {failure.error_class for _, _, failure in second.failures} == {ErrorClass.OAUTH_TOKEN}


def test_a_login_obtains_the_first_one(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authorisation: AuthorisationServer,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    project = tmp_path / "project"
    (project / "connectors.d").mkdir(parents=True)
    (project / "connectors.d" / "support.yaml").write_text(CONNECTOR)
    environ = {
        "RECONCILER_CONNECT_TO": " ".join(site.connect_to),
        "RECONCILER_CA_FILE": str(site.options.ca_file),
        "RECONCILER_ALLOW_CREDENTIAL": "*",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project)
    assert main(["login", "support"]) == 0
    assert "BCDF-GHJK" in capsys.readouterr().err
    assert (project / "token").read_text().strip() == authorisation.refresh_token
    for _ in range(2):
        assert main(["test", "support"]) == 0
    assert (project / "token").read_text().strip() == authorisation.refresh_token
