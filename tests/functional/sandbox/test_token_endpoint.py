"""Connectors that sign in with OAuth 2.0, in a sandbox that issues the tokens."""

from __future__ import annotations

import json
import socket
import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Connector, Grant, MailServer, OAuth2, Security
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.sandbox.accounts import HTTPS
from reconciler.sandbox.session import Sandbox
from reconciler.secrets.registry import Resolver
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.connection.failure import Failure
    from reconciler.sandbox.session import Session

MICROSOFT = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
GOOGLE = "https://oauth2.googleapis.com/token"


def env(name: str) -> SecretRef:
    return SecretRef("env", name)


SECRET = OAuth2(
    grant=Grant.CLIENT_CREDENTIALS,
    client_id="app",
    client_secret=env("CLIENT_SECRET"),
    token_endpoint=MICROSOFT,
    scopes=("https://outlook.office365.com/.default",),
)
CERTIFICATE = replace(SECRET, client_secret=None, certificate=env("CERTIFICATE"))
DELEGATED = OAuth2(
    grant=Grant.REFRESH_TOKEN,
    client_id="app",
    refresh_token=env("REFRESH"),
    token_endpoint=MICROSOFT,
    scopes=("imap", "smtp", "offline_access"),
)
CONFIDENTIAL = replace(DELEGATED, client_secret=env("CLIENT_SECRET"))
SERVICE = OAuth2(
    grant=Grant.JWT_BEARER,
    service_account_key=env("KEY"),
    token_endpoint=GOOGLE,
    scopes=("https://mail.google.com/",),
)
GRANTS = pytest.mark.parametrize(
    "oauth2",
    [SECRET, CERTIFICATE, DELEGATED, CONFIDENTIAL, SERVICE],
    ids=["secret", "certificate", "refresh-token", "confidential", "service-account"],
)


def signs_in_with(oauth2: OAuth2, name: str = "support") -> Connector:
    """A connector that reads and sends with tokens."""
    imap = MailServer(
        server="imap.example",
        port=993,
        security=Security.IMPLICIT,
        username=f"{name}@contoso.example",
        oauth2=oauth2,
    )
    return Connector(
        name=name,
        display_name=name,
        imap=imap,
        smtp=replace(imap, server="smtp.example", port=587, security=Security.STARTTLS),
        enable_mail_send_from=True,
        email_address=imap.username,
    )


def failures(session: Session, *connectors: Connector, **environ: str) -> tuple[Failure, ...]:
    """Test connectors as a command in the sandbox would, and say what failed."""
    environment = {**session.environment, **environ}
    options = ProbeOptions(
        connect_to=ConnectTo.parse([environment["RECONCILER_CONNECT_TO"]]),
        ca_file=environment["RECONCILER_CA_FILE"],
    )
    results = run(connectors, Resolver(environment, allow_command=False, base=Path()), options)
    return tuple(failure for result in results for _, _, failure in result.failures)


@GRANTS
def test_every_grant_signs_in_over_imap_and_smtp(oauth2: OAuth2, tmp_path: Path) -> None:
    support = signs_in_with(oauth2)
    with Sandbox((support,), tmp_path) as session:
        assert failures(session, support) == ()
    assert session.journal.faults == ()


@GRANTS
def test_the_secrets_stay_from_one_run_to_the_next(oauth2: OAuth2, tmp_path: Path) -> None:
    support = signs_in_with(oauth2)
    names = [reference.target for reference in support.references]
    seen = []
    for _ in range(2):
        with Sandbox((support,), tmp_path) as session:
            seen.append([session.environment[name] for name in names])
    assert seen[0] == seen[1]
    with Sandbox((support,), tmp_path / "another") as session:
        assert seen[0] != [session.environment[name] for name in names]


@GRANTS
def test_every_file_with_a_secret_is_readable_only_by_its_owner(
    oauth2: OAuth2, tmp_path: Path
) -> None:
    with Sandbox((signs_in_with(oauth2),), tmp_path / "sandbox"):
        files = [path for path in (tmp_path / "sandbox").rglob("*") if path.is_file()]
        assert files
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize(
    ("oauth2", "name", "cause"),
    [
        (SECRET, "CLIENT_SECRET", "login.microsoftonline.com: The client secret is wrong."),
        (DELEGATED, "REFRESH", "refresh token or the assertion is not valid"),
        (CONFIDENTIAL, "CLIENT_SECRET", "login.microsoftonline.com: The client secret is wrong."),
    ],
    ids=["secret", "refresh-token", "confidential"],
)
def test_a_wrong_secret_gets_no_token(
    oauth2: OAuth2, name: str, cause: str, tmp_path: Path
) -> None:
    support = signs_in_with(oauth2)
    with Sandbox((support,), tmp_path) as session:
        for failure in failures(session, support, **{name: "wrong"}):
            assert failure.error_class is ErrorClass.OAUTH_TOKEN
            assert cause in failure.cause


@pytest.mark.parametrize(
    ("oauth2", "name", "cause"),
    [
        (CERTIFICATE, "CERTIFICATE", "not one that the application has registered"),
        (SERVICE, "KEY", "refresh token or the assertion is not valid"),
    ],
    ids=["certificate", "service-account"],
)
def test_the_key_of_another_account_gets_no_token(
    oauth2: OAuth2, name: str, cause: str, tmp_path: Path
) -> None:
    support = signs_in_with(oauth2)
    with Sandbox((support,), tmp_path / "other") as other:
        stolen = other.environment[name]
    with Sandbox((support,), tmp_path / "sandbox") as session:
        found = failures(session, support, **{name: stolen})
    assert {failure.error_class for failure in found} == {ErrorClass.OAUTH_TOKEN}
    assert all(cause in failure.cause for failure in found)


def test_an_application_that_no_connector_names_is_unknown(tmp_path: Path) -> None:
    with Sandbox((signs_in_with(SECRET),), tmp_path) as session:
        for oauth2, error_class, code in (
            (replace(SECRET, client_id="other"), ErrorClass.OAUTH_TOKEN, "AADSTS700016"),
            (replace(SECRET, scopes=("calendar",)), ErrorClass.OAUTH_SCOPE, "AADSTS70011"),
            (
                replace(SECRET, token_endpoint=MICROSOFT.replace("contoso", "fabrikam")),
                ErrorClass.OAUTH_TOKEN,
                "AADSTS90002",
            ),
        ):
            for failure in failures(session, signs_in_with(oauth2)):
                assert failure.error_class is error_class
                assert code in failure.reply


def test_a_service_account_acts_only_for_mailboxes_that_connectors_name(tmp_path: Path) -> None:
    with Sandbox((signs_in_with(SERVICE),), tmp_path) as session:
        found = failures(session, signs_in_with(SERVICE, "director"))
    assert {failure.error_class for failure in found} == {ErrorClass.OAUTH_SCOPE}
    assert "domain-wide delegation" in found[0].remedy


def test_a_token_opens_no_mailbox_of_another_application(tmp_path: Path) -> None:
    support = signs_in_with(SECRET)
    director = signs_in_with(replace(SECRET, client_id="other"), "director")
    trespasser = signs_in_with(SECRET, "director")
    with Sandbox((support, director), tmp_path) as session:
        assert failures(session, support, director) == ()
        found = failures(session, trespasser)
    assert {failure.error_class for failure in found} == {ErrorClass.OAUTH_TOKEN}
    assert "does not accept the token for director@contoso.example" in found[0].cause


def test_a_certificate_and_a_key_may_come_from_files(tmp_path: Path) -> None:
    with Sandbox((signs_in_with(CERTIFICATE),), tmp_path / "made-up") as session:
        pem = session.environment["CERTIFICATE"]
    file = tmp_path / "app.pem"
    file.write_text(pem)
    file.chmod(0o600)
    support = signs_in_with(replace(CERTIFICATE, certificate=SecretRef("file", str(file))))
    with Sandbox((support,), tmp_path / "sandbox") as session:
        assert failures(session, support) == ()
        assert "CERTIFICATE" not in session.environment


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /token HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"POST /token HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"400"),
        (b"POST /token HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /token HTTP/1.1\r\nContent-Length: 1\r\n\r\n\xff", b"400"),
        (b"POST /token HTTP/1.1\r\n\r\n", b"400"),
        (b"\x00\xff\r\n\r\n", b"400"),
        (b"x" * 100_000, b"400"),
        (b"POST /token HTTP/1.1\r\nContent-Length: 5\r\n\r\nx", b""),
    ],
)
def test_an_invalid_token_request_does_no_harm(
    request_: bytes, status: bytes, tmp_path: Path
) -> None:
    support = signs_in_with(SERVICE)
    with Sandbox((support,), tmp_path) as session:
        (endpoint,) = (item for item in session.endpoints if item.protocol == HTTPS)
        trust = ssl.create_default_context(cafile=session.environment["RECONCILER_CA_FILE"])
        with (
            socket.create_connection((endpoint.address, endpoint.local_port), timeout=20) as plain,
            trust.wrap_socket(plain, server_hostname=endpoint.host) as client,
        ):
            client.sendall(request_)
            if not status:
                client.unwrap()
            heard = b"" if not status else client.recv(4096)
        assert heard[9:12] == status
        if status:
            assert json.loads(heard.partition(b"\r\n\r\n")[2]).keys() == {
                "error",
                "error_description",
            }
        assert failures(session, support) == ()
    assert session.journal.faults == ()


def test_a_refresh_token_that_use_replaces_is_kept_between_runs(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("sandbox-the-first-one\n")
    file.chmod(0o600)
    support = signs_in_with(replace(DELEGATED, refresh_token=SecretRef("file", str(file))))
    with Sandbox((support,), tmp_path / "sandbox") as session:
        seen = [file.read_text()]
        for _ in range(2):
            assert failures(session, support) == ()
            seen.append(file.read_text())
        assert len(set(seen)) == 3
        file.write_text(seen[0])
        (failure, _) = failures(session, support)
        assert failure.error_class is ErrorClass.OAUTH_TOKEN


def test_a_sandbox_token_never_replaces_a_real_refresh_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("0.AXoA-a-real-one\n")
    support = signs_in_with(replace(DELEGATED, refresh_token=SecretRef("file", str(file))))
    with Sandbox((support,), tmp_path / "sandbox") as session:
        assert failures(session, support) == ()
    assert file.read_text() == "0.AXoA-a-real-one\n"
