from __future__ import annotations

import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
import trustme

from reconciler import Mailer, Message, RawMessage
from reconciler.back_off import BackOff
from reconciler.cli.main import main
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Connector, MailServer, SaveSent, Security
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.doctor import ExaminedAccount, examine
from reconciler.probe.result import ProtocolResult, StageOutcome
from reconciler.probe.runner import run
from reconciler.secrets.base import Secret
from reconciler.sending import sent_copy
from reconciler.values import replace
from tests.hostile.server import HostileServer, Script

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.connection.failure import Failure, Stage
    from reconciler.model.sending import SendingRecord, SendingResult

HOST = "hostile.example"
PASSWORD = "Tr0ub4dor&3-zq9"

TIMEOUT = 10.0
"""Seconds for a server that does not hang: far more than it needs, even on a busy machine."""

PATIENCE = (0.6, 2.4, 9.6)
"""Seconds for a server that hangs: more only if that was too short to reach the point in question."""


class Passwords:
    """Resolves every reference to one password."""

    def __init__(self, password: str = PASSWORD) -> None:
        self._password = password

    def resolve(self, reference: SecretRef) -> Secret:
        return Secret(self._password)


class Certificates:
    """Server contexts: a good one, and one for each flaw."""

    def __init__(self, folder: Path) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.good = _context(authority.issue_cert(HOST))
        self.endpoint = _context(authority.issue_cert(f"login.{HOST}"))
        self.untrusted = _context(stranger.issue_cert(HOST))
        self.wrong_name = _context(authority.issue_cert("elsewhere.example"))
        past = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
        self.expired = _context(authority.issue_cert(HOST, not_before=past[0], not_after=past[1]))
        own = folder / "self-signed.pem"
        stranger.private_key_pem.write_to_path(str(own))
        stranger.cert_pem.write_to_path(str(own), append=True)
        self.self_signed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.self_signed.load_cert_chain(own)
        self.old = _context(authority.issue_cert(HOST))
        self.old.set_ciphers("ALL:@SECLEVEL=0")
        self.old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@dataclass(frozen=True, slots=True)
class Found:
    """What a test found, how long it took, and how long it was allowed to take."""

    result: ProtocolResult
    seconds: float
    timeout: float
    server: HostileServer

    @property
    def failure(self) -> tuple[Stage, Failure]:
        """Where it failed and why. Every failure says what is wrong and what to do."""
        stage = self.result.failed
        assert stage is not None, self.result
        assert stage.failure is not None
        assert stage.failure.cause.endswith(".")
        assert stage.failure.remedy.endswith(".")
        later = self.result.stages[self.result.stages.index(stage) + 1 :]
        assert {item.outcome for item in later} <= {StageOutcome.NOT_REACHED}
        return stage.stage, stage.failure

    @property
    def detail(self) -> dict[Stage, str]:
        """What each stage reported."""
        return {stage.stage: stage.detail for stage in self.result.stages}


Attack = Callable[..., Found]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def serve() -> Iterator[Callable[..., HostileServer]]:
    with ExitStack() as stack:

        def start(script: Script, context: ssl.SSLContext | None = None) -> HostileServer:
            return stack.enter_context(HostileServer(script, context))

        yield start


@pytest.fixture
def attack(serve: Callable[..., HostileServer], certificates: Certificates) -> Attack:
    """Test an account at a server that follows this script, and expect it to end within the deadline.

    ``hangs_at`` is the stage at which the server keeps the test waiting.
    """

    def probe(
        protocol: Protocol, script: Script, *, hangs_at: Stage | None = None, **settings: Any
    ) -> Found:
        if hangs_at is None:
            return probe_once(protocol, script, **settings)
        seen = []
        for timeout in PATIENCE:
            options = ProbeOptions(timeout=timeout, retries=0)
            found = probe_once(protocol, script, options=options, **settings)
            if found.result.failed is None or found.result.failed.stage is hangs_at:
                return found
            seen.append(found.result)
        raise AssertionError(f"it never came to {hangs_at}: {seen}")

    def probe_once(
        protocol: Protocol,
        script: Script,
        *,
        security: Security = Security.IMPLICIT,
        context: ssl.SSLContext | None = None,
        plain: bool = False,
        connector: Connector | None = None,
        options: ProbeOptions | None = None,
        password: str = PASSWORD,
    ) -> Found:
        implicit = security is Security.IMPLICIT and not plain
        server = serve(script, (context or certificates.good) if implicit else context)
        options = replace(
            options or ProbeOptions(timeout=TIMEOUT, retries=0),
            connect_to=ConnectTo.parse([f"{HOST}:4711=127.0.0.1:{server.port}"]),
            ca_file=str(certificates.ca_file),
        )
        started = time.monotonic()
        (result,) = run(
            [connector or connector_for(protocol, security)], Passwords(password), options
        )
        seconds = time.monotonic() - started
        # Generous, for busy machines; a test that hangs would take far longer.
        assert seconds < options.timeout + 10
        return Found(result.protocols[0], seconds, options.timeout, server)

    return probe


@pytest.fixture
def look(
    serve: Callable[..., HostileServer], certificates: Certificates
) -> Callable[..., ExaminedAccount]:
    """Examine an account at a server that follows this script."""

    def examined(
        protocol: Protocol,
        script: Script,
        *,
        security: Security = Security.IMPLICIT,
        context: ssl.SSLContext | None = None,
        plain: bool = False,
        timeout: float = TIMEOUT,
    ) -> ExaminedAccount:
        implicit = security is Security.IMPLICIT and not plain  # otherwise the script does it
        server = serve(script, (context or certificates.good) if implicit else None)
        options = ProbeOptions(
            timeout=timeout,
            retries=0,
            connect_to=ConnectTo.parse([f"{HOST}:4711=127.0.0.1:{server.port}"]),
            ca_file=str(certificates.ca_file),
        )
        (found,) = examine(connector_for(protocol, security), Passwords(), options)
        assert PASSWORD not in repr(found.details)
        assert PASSWORD not in repr(found.result)
        return found

    return examined


def connector_for(protocol: Protocol, security: Security, **fields: object) -> Connector:
    server = MailServer(
        server=HOST,
        port=4711,
        security=security,
        allow_cleartext_auth=True,
        username="support@hostile.example",
        password=SecretRef("env", "PASSWORD"),
    )
    base = Connector(
        name="support",
        display_name="Support",
        imap=server if protocol is Protocol.IMAP else None,
        smtp=server if protocol is Protocol.SMTP else None,
        enable_mail_send_from=protocol is Protocol.SMTP,
        email_address="support@hostile.example",
        save_sent=SaveSent.AUTO,
    )
    return replace(base, **fields)  # type: ignore[arg-type]  # what the test changes


ADDRESS: Final = "support@hostile.example"
LETTER: Final = Message(
    to=("ada@x.example", "bob@x.example"), subject="Hello", text="Hello, both of you.\n"
)
CONNECTOR: Final = """\
kind: EmailConnector
name: support
display_name: Support
enable_mail_send_from: true
smtp: {{server: {host}, port: 465, use_ssl: true, email_address: {address}, use_same_credentials: {same}{own}}}
"""
IMAP: Final = """\
imap: {{server: {host}, port: 993, use_ssl: true, username: {address}, password: env:PASSWORD}}
"""


class Notes:
    """A journal in memory."""

    def __init__(self) -> None:
        self.outcomes: list[SendingRecord] = []

    def record(self, record: SendingRecord) -> None:
        self.outcomes.append(record)


@dataclass(frozen=True, slots=True)
class Office:
    """A mailer whose only connector is at a hostile server, and what it recorded."""

    mailer: Mailer
    server: HostileServer
    notes: Notes
    environ: dict[str, str]
    readers: tuple[HostileServer, ...] = ()

    def send(self, message: Message | RawMessage = LETTER) -> object:
        return self.mailer.send(message, connector="support")

    @property
    def texts(self) -> int:
        """How many mails the server received the text of."""
        return len(self.server.commands("DATA"))

    @property
    def results(self) -> list[SendingResult]:
        return [outcome.result for outcome in self.notes.outcomes]


Open = Callable[..., Office]


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the states that were applied."""
    return tmp_path_factory.mktemp("applied")


@pytest.fixture
def opened(
    tmp_path: Path,
    serve: Callable[..., HostileServer],
    certificates: Certificates,
    applied: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Open]:
    """Apply a connector at servers that follow these scripts, and open a mailer.

    The first apply in a folder copies what an earlier one left: it depends on the text alone.
    """
    monkeypatch.setattr(sent_copy, "_LOOKS", BackOff(first=0.01, longest=0.01, tries=6))
    folder = tmp_path / "connectors.d"
    folder.mkdir()
    with ExitStack() as stack:

        def make(
            script: Script,
            reads: Script | None = None,
            *,
            timeout: float = 10.0,
            background: bool = False,
            stored: bool = False,
        ) -> Office:
            server = serve(script, certificates.good)
            readers: tuple[HostileServer, ...] = ()
            places = [f"{HOST}:465=127.0.0.1:{server.port}"]
            own = f", username: {ADDRESS}, password: env:PASSWORD"
            text = CONNECTOR.format(
                host=HOST,
                address=ADDRESS,
                same="true" if reads else "false",
                own="" if reads else own,
            )
            if reads is not None:
                readers = (serve(reads, certificates.good),)
                places.append(f"{HOST}:993=127.0.0.1:{readers[0].port}")
                text += IMAP.format(host=HOST, address=ADDRESS)
            (folder / "support.yaml").write_text(text)
            environ = {
                "RECONCILER_CONFIG": str(folder),
                "RECONCILER_ACTOR": "lead@hostile.example",
                "RECONCILER_CONNECT_TO": " ".join(places),
                "RECONCILER_CA_FILE": str(certificates.ca_file),
                "RECONCILER_ALLOW_CREDENTIAL": "*",
                "PASSWORD": PASSWORD,
            }
            for name, value in environ.items():
                monkeypatch.setenv(name, value)
            state, like_it = tmp_path / ".reconciler", applied / ("reads" if reads else "sends")
            is_first = "RECONCILER_STATE" not in os.environ and not state.exists()
            if is_first and like_it.exists():
                shutil.copytree(like_it, state)
            else:
                assert main(["apply", "--auto-approve", "--skip-tests", "hostile"]) == 0
                if is_first:
                    shutil.copytree(state, like_it)
            notes = Notes()
            mailer = stack.enter_context(
                Mailer.open(
                    environ=environ,
                    timeout=timeout,
                    journal=None if stored else notes,
                    copies_in_background=background,
                )
            )
            return Office(mailer, server, notes, environ, readers)

        yield make
