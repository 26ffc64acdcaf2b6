from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.config.load import load
from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Connector, Security, SmtpSignIn
from reconciler.model.protocol import Protocol
from reconciler.probe.runner import run
from reconciler.sandbox.session import Sandbox, Session
from reconciler.secrets.registry import Resolver
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.probe.result import ConnectorResult

EXAMPLE = Path(__file__).parents[3] / "connectors.d"


def probe(
    session: Session, *connectors: Connector, depth: Stage = Stage.ENVELOPE
) -> tuple[ConnectorResult, ...]:
    """Test connectors as a command in the sandbox would."""
    environ = session.environment
    options = ProbeOptions(
        connect_to=ConnectTo.parse([environ["RECONCILER_CONNECT_TO"]]),
        ca_file=environ["RECONCILER_CA_FILE"],
        depth=depth,
    )
    return run(connectors, Resolver(environ, allow_command=False, base=Path()), options)


def test_the_shipped_example_passes_every_live_test(tmp_path: Path) -> None:
    snapshot = load(EXAMPLE).snapshot
    assert snapshot is not None
    tested = tuple(item for item in snapshot.connectors if not item.draft)
    with Sandbox(snapshot.connectors, tmp_path) as session:
        results = probe(session, *tested, depth=Stage.DELIVERY)
    assert {result.connector: result.failures for result in results} == {
        connector.name: () for connector in tested
    }
    assert session.journal.faults == ()


@pytest.mark.parametrize("files_sent_copies", [False, True])
def test_a_test_mail_arrives_and_leaves_nothing_behind(
    files_sent_copies: bool,
    sandbox: Callable[..., Any],
    connector: Callable[..., Connector],
) -> None:
    support = connector("support", files_sent_copies=files_sent_copies)
    with sandbox(support) as clients:
        (result,) = probe(clients.session, support, depth=Stage.DELIVERY)
        assert result.failures == ()
        assert clients.session.journal.delivered == 1
        assert clients.session.journal.strays == ()
        imap = clients.signed_in_imap(support)
        for folder in ("INBOX", "Sent"):
            assert imap.select_folder(folder)[b"EXISTS"] == 0


@pytest.mark.parametrize("security", [Security.NONE, Security.STARTTLS])
def test_mail_without_a_sign_in_passes_and_arrives(
    security: Security, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support", security)
    assert support.smtp is not None
    relay = replace(support.smtp, sign_in=SmtpSignIn.NONE, username=None, password=None)
    printer = replace(support, smtp=relay)
    with sandbox(printer) as clients:
        (result,) = probe(clients.session, printer, depth=Stage.DELIVERY)
        assert result.failures == ()
        assert clients.session.journal.delivered == 1
        assert clients.session.journal.strays == ()


def test_every_address_of_an_account_may_be_sent_as_and_gets_mail(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    further = ("orders@corp.example", "*@shop.example")
    shop = replace(connector("shop"), also_sends_as=further)
    with sandbox(shop) as clients:
        (result,) = probe(clients.session, shop)
        assert result.failures == ()
        smtp = clients.signed_in_smtp(shop)
        for sender in ("orders@corp.example", "anybody@shop.example"):
            text = f"From: {sender}\r\nSubject: x\r\n\r\nx\r\n"
            assert smtp.sendmail(sender, [sender], text) == {}
        assert clients.session.journal.delivered == 2


def test_a_user_name_may_be_a_reference(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    assert support.smtp is not None
    smtp = replace(support.smtp, username="env:ACCESS_KEY")
    with sandbox(ses := replace(support, imap=None, smtp=smtp)) as clients:
        assert clients.session.environment["ACCESS_KEY"]
        (result,) = probe(clients.session, ses, depth=Stage.DELIVERY)
    assert result.failures == ()


def test_a_required_sign_in_is_demanded(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    assert support.smtp is not None
    relay = replace(support.smtp, sign_in=SmtpSignIn.NONE, username=None, password=None)
    with sandbox(support) as clients:
        (result,) = probe(clients.session, replace(support, imap=None, smtp=relay))
    ((_, stage, why),) = result.failures
    assert (stage.stage, why.error_class) == (Stage.ENVELOPE, ErrorClass.AUTH_REQUIRED)


@pytest.mark.parametrize("security", list(Security))
def test_every_kind_of_security_passes(
    security: Security, tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    support = connector("support", security)
    assert support.imap is not None
    assert support.smtp is not None
    support = replace(
        support,
        imap=replace(support.imap, allow_cleartext_auth=True),
        smtp=replace(support.smtp, allow_cleartext_auth=True),
    )
    with Sandbox((support,), tmp_path) as session:
        (result,) = probe(session, support)
    assert result.failures == ()
    assert session.journal.faults == ()


@pytest.mark.parametrize(
    ("security", "other"),
    [(Security.IMPLICIT, Security.STARTTLS), (Security.STARTTLS, Security.IMPLICIT)],
)
def test_the_wrong_kind_of_security_is_recognised(
    security: Security, other: Security, tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    support = connector("support", security)
    assert support.imap is not None
    assert support.smtp is not None
    mistaken = replace(
        support,
        imap=replace(support.imap, security=other),
        smtp=replace(support.smtp, security=other),
    )
    with Sandbox((support,), tmp_path) as session:
        environ = session.environment
        options = ProbeOptions(
            connect_to=ConnectTo.parse([environ["RECONCILER_CONNECT_TO"]]),
            ca_file=environ["RECONCILER_CA_FILE"],
            timeout=3,
        )
        resolver = Resolver(environ, allow_command=False, base=Path())
        (result,) = run((mistaken,), resolver, options)
    assert {protocol.protocol: failure.error_class for protocol, _, failure in result.failures} == {
        Protocol.IMAP: ErrorClass.TLS_MODE_MISMATCH,
        Protocol.SMTP: ErrorClass.TLS_MODE_MISMATCH,
    }
    assert session.journal.faults == ()


def test_the_sender_of_another_account_is_refused_in_the_envelope(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    with Sandbox((support, connector("info")), tmp_path) as session:
        (result,) = probe(session, replace(support, email_address="info@corp.example"))
    ((protocol, _, failure),) = result.failures
    assert protocol.protocol is Protocol.SMTP
    assert failure.error_class is ErrorClass.SEND_AS_DENIED


def test_a_password_of_another_seed_is_rejected(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    with Sandbox((), tmp_path / "a"), Sandbox((support,), tmp_path / "b") as session:
        stale = replace(session, environment={**session.environment, "SUPPORT": "stale"})
        (result,) = probe(stale, support)
    assert {failure.error_class for _, _, failure in result.failures} == {ErrorClass.AUTH_REJECTED}
