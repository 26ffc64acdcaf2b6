"""Connectors that sign in with OAuth 2.0: a real token endpoint, a real Dovecot, a real Postfix."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.connection.access import Access
from reconciler.connection.account import accounts
from reconciler.connection.failure import ErrorClass, Stage
from reconciler.mail.dial import ConnectTo
from reconciler.mail.oauth import AuthlibTokens
from reconciler.model.connector import Connector, Grant, MailServer, OAuth2, Security
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.secrets.registry import Resolver
from reconciler.sending.access import ConnectorAccess
from reconciler.values import replace
from tests.dead_address import DEAD, dead_address
from tests.servers.accounts import DOMAIN, SUPPORT
from tests.servers.authorisation import (
    CALENDAR,
    ENDPOINT,
    EXPIRED,
    GOOD,
    LIFETIME,
    LOGIN,
    SECRET,
    SOMEBODY_ELSE,
)
from tests.servers.loopback import LOOPBACK, free_port
from tests.servers.site import IMAP, PORTS, SMTP, Site, connector_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.connection.failure import Failure
    from reconciler.probe.result import ConnectorResult
    from tests.servers.authorisation import AuthorisationServer, Client
    from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.server

BEARER: Final = f"bearer.{DOMAIN}"
"""Where only OAUTHBEARER is offered."""


@pytest.fixture
def site(mail_site: Site, bearer_dovecot: Dovecot, authorisation: AuthorisationServer) -> Site:
    """All servers, and a token endpoint without requests so far."""
    authorisation.requests.clear()
    authorisation.failures = 0
    doors = (
        f"{BEARER}:993={LOOPBACK}:{bearer_dovecot.tls_port}",
        f"{BEARER}:143={LOOPBACK}:{bearer_dovecot.starttls_port}",
        authorisation.connect_to,
    )
    return replace(
        mail_site,
        connect_to=(*mail_site.connect_to, *doors),
        environ={**mail_site.environ, "CLIENT_SECRET": SECRET, "STALE_SECRET": "stale"},
    )


def app(client: Client = GOOD, secret: str = "CLIENT_SECRET") -> OAuth2:
    return OAuth2(
        grant=Grant.CLIENT_CREDENTIALS,
        client_id=client.client_id,
        client_secret=SecretRef("env", secret),
        token_endpoint=ENDPOINT,
        scopes=("mail",),
    )


def support_with(
    oauth2: OAuth2, imap: str = IMAP, smtp: str = SMTP, security: Security = Security.IMPLICIT
) -> Connector:
    """support@, which reads and sends with tokens."""

    def account(protocol: str, host: str) -> MailServer:
        return MailServer(
            server=host,
            port=PORTS[protocol, security],
            security=security,
            username=SUPPORT.username,
            oauth2=oauth2,
        )

    return connector_for(SUPPORT, imap=account("imap", imap), smtp=account("smtp", smtp))


def signed_in_with(result: ConnectorResult) -> dict[Protocol, str]:
    return {
        protocol.protocol: stage.detail
        for protocol in result.protocols
        for stage in protocol.stages
        if stage.stage is Stage.AUTHENTICATION
    }


def failures(result: ConnectorResult) -> dict[Protocol, Failure]:
    assert {stage.stage for _, stage, _ in result.failures} <= {Stage.AUTHENTICATION}
    return {protocol.protocol: failure for protocol, _, failure in result.failures}


@pytest.mark.parametrize(
    ("imap", "smtp", "mechanism"), [(IMAP, SMTP, "XOAUTH2"), (BEARER, BEARER, "OAUTHBEARER")]
)
@pytest.mark.parametrize("security", [Security.IMPLICIT, Security.STARTTLS])
def test_a_token_reads_the_mailbox_and_sends_mail(
    site: Site, imap: str, smtp: str, mechanism: str, security: Security
) -> None:
    result = site.probe(support_with(app(), imap, smtp, security))
    assert result.failures == ()
    assert set(signed_in_with(result).values()) == {f"signed in with {mechanism}"}


def test_a_test_mail_is_sent_and_found_with_one_token(
    site: Site, authorisation: AuthorisationServer
) -> None:
    result = site.probe(support_with(app()), replace(site.options, depth=Stage.DELIVERY))
    assert result.failures == ()
    (delivery,) = (item for item in result.protocols[1].stages if item.stage is Stage.DELIVERY)
    assert "found in the inbox" in delivery.detail
    assert len(authorisation.requests) == 1


@pytest.mark.parametrize(("imap", "smtp"), [(IMAP, SMTP), (BEARER, BEARER)], ids=["x", "bearer"])
@pytest.mark.parametrize(
    "client", [EXPIRED, CALENDAR, SOMEBODY_ELSE], ids=lambda client: client.client_id
)
def test_a_wrong_token_is_refused_and_the_reason_shown(
    site: Site, client: Client, imap: str, smtp: str
) -> None:
    """Dovecot 2.3 gives the same answer to all three; with XOAUTH2 it adds the required scope."""
    found = failures(site.probe(support_with(app(client), imap, smtp)))
    assert found.keys() == {Protocol.IMAP, Protocol.SMTP}
    for failure in found.values():
        assert failure.error_class is ErrorClass.OAUTH_TOKEN
        assert "(status " in failure.reply
        assert SUPPORT.username in failure.cause
        assert "the token is for this user" in failure.remedy
        assert ("names the scope mail" in failure.remedy) is (imap == IMAP)


def test_a_missing_scope_is_distinguished_from_a_wrong_token(site: Site) -> None:
    found = failures(site.probe(support_with(replace(app(), scopes=("calendar",)))))
    assert found.keys() == {Protocol.IMAP, Protocol.SMTP}
    for failure in found.values():
        assert failure.error_class is ErrorClass.OAUTH_SCOPE
        assert "Check `scopes`" in failure.remedy


def test_a_wrong_client_secret_is_distinguished_from_a_wrong_token(
    site: Site, authorisation: AuthorisationServer
) -> None:
    found = failures(site.probe(support_with(app(secret="STALE_SECRET"))))
    for failure in found.values():
        assert failure.error_class is ErrorClass.OAUTH_TOKEN
        assert failure.cause == f"{LOGIN}: The client secret is wrong."
        assert "AADSTS7000215" in failure.reply
        assert "value, not its id" in failure.remedy
    assert found.keys() == {Protocol.IMAP, Protocol.SMTP}
    assert len(authorisation.requests) == 1, "a wrong secret is tried once for all that need it"


def test_an_unregistered_application_is_named(site: Site) -> None:
    oauth2 = replace(app(), client_id="nobody")
    for failure in failures(site.probe(support_with(oauth2))).values():
        assert failure.error_class is ErrorClass.OAUTH_TOKEN
        assert "has no application" in failure.cause


def test_a_token_endpoint_that_is_down_is_unreachable_and_not_the_accounts_fault(
    site: Site,
) -> None:
    down = ConnectTo.parse((*site.connect_to[:-1], f"{LOGIN}:443={LOOPBACK}:{free_port()}"))
    result = site.probe(support_with(app()), replace(site.options, connect_to=down))
    assert result.unreachable
    for failure in failures(result).values():
        assert failure.error_class is ErrorClass.REFUSED
        assert f"No token from {LOGIN}" in failure.cause


def test_a_token_endpoint_that_fails_for_a_moment_is_retried(
    site: Site, authorisation: AuthorisationServer
) -> None:
    authorisation.failures = 1
    result = site.probe(support_with(app()), replace(site.options, retries=1))
    assert result.failures == ()
    assert len(authorisation.requests) == 2
    notes = [stage.detail for account in result.protocols for stage in account.stages]
    assert any("try 2, after refused" in note for note in notes)


def test_a_token_endpoint_that_keeps_failing_is_unreachable(
    site: Site, authorisation: AuthorisationServer
) -> None:
    authorisation.failures = 100
    result = site.probe(support_with(app()), replace(site.options, retries=2))
    assert result.unreachable
    for failure in failures(result).values():
        assert failure.error_class is ErrorClass.REFUSED
        assert failure.cause == f"No token from {LOGIN}: it has failed (HTTP 503)."
    assert len(authorisation.requests) <= 6


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that accepts connections and says nothing."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        yield listening.getsockname()[1]


def test_a_token_endpoint_that_never_answers_has_a_deadline_too(site: Site, mute: int) -> None:
    silent = ConnectTo.parse((*site.connect_to[:-1], f"{LOGIN}:443={LOOPBACK}:{mute}"))
    options = replace(site.options, connect_to=silent, timeout=3.0)
    result = site.probe(support_with(app()), options)
    assert result.unreachable
    assert {item.error_class for item in failures(result).values()} == {ErrorClass.TIMEOUT}


def test_one_token_serves_every_test_of_a_run(
    site: Site, authorisation: AuthorisationServer
) -> None:
    support = support_with(app())
    many = tuple(replace(support, name=f"support-{number}") for number in range(10))
    results = run(many, site.resolver, site.options)
    assert [result.failures for result in results] == [()] * 10
    assert len(authorisation.requests) == 1


def test_a_token_is_renewed_before_dovecot_refuses_it(
    site: Site, authorisation: AuthorisationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(authorisation, "clock", lambda: now[0])
    resolver = Resolver(site.environ, allow_command=False, base=site.certificate.parent)
    tokens = AuthlibTokens(
        resolver,
        connect_to=site.options.connect_to,
        ca_file=site.options.ca_file,
        clock=lambda: now[0],
    )
    support = support_with(app())
    for seconds, asked in ((0, 1), (LIFETIME / 2, 1), (LIFETIME - 1, 2), (LIFETIME + 1, 2)):
        now[0] = 1000.0 + seconds
        (result,) = run((support,), resolver, site.options, tokens=tokens)
        assert result.failures == ()
        assert len(authorisation.requests) == asked


def test_the_token_and_the_client_secret_are_in_no_result(site: Site) -> None:
    for client in (GOOD, EXPIRED, SOMEBODY_ELSE):
        text = repr(site.probe(support_with(app(client))))
        assert SECRET not in text
        assert "xxxx" not in text


POOL: Final = "pool.example"
"""A host of two addresses, the first of them dead."""


@pytest.fixture
def pool(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Every server, under a name whose first address never answers."""
    usual = socket.getaddrinfo

    def addresses(host: str, port: int, *rest: Any, **others: Any) -> list[Any]:
        if host != POOL:
            return usual(host, port, *rest, **others)
        if others["flags"]:
            raise socket.gaierror(socket.EAI_NONAME, "not an address")
        return [*usual(DEAD, port, *rest, **others), *usual(LOOPBACK, port, *rest, **others)]

    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    standing = site.options.connect_to
    places = {
        place: standing.target(*place)[1] for place in ((IMAP, 993), (SMTP, 465), (LOGIN, 443))
    }
    with ExitStack() as stack:
        for port in places.values():
            stack.enter_context(dead_address(port))
        yield replace(
            site,
            connect_to=tuple(f"{host}:{at}={POOL}:{port}" for (host, at), port in places.items()),
        )


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each address that a connection attempt goes to, in order."""
    found: list[str] = []
    usual = socket.socket.connect_ex

    def noted(sock: socket.socket, place: tuple[str, int]) -> int:
        found.append(place[0])
        return usual(sock, place)

    monkeypatch.setattr(socket.socket, "connect_ex", noted)
    return found


def test_a_run_tries_a_dead_address_once(pool: Site, tried: list[str]) -> None:
    result = pool.probe(support_with(app()), replace(pool.options, concurrency=1))
    assert result.failures == ()
    assert tried[:2] == [DEAD, LOOPBACK]
    assert tried[2:] == [LOOPBACK] * 2  # the token endpoint and the other protocol


def test_a_mail_its_copy_and_its_token_try_a_dead_address_once(
    pool: Site, tried: list[str]
) -> None:
    options = pool.options
    tokens = AuthlibTokens(
        pool.resolver,
        connect_to=options.connect_to,
        ca_file=options.ca_file,
        winners=options.winners,
    )
    by_protocol = {account.protocol: account for account in accounts(support_with(app()))}
    access = Access(pool.resolver, tokens, options)
    smtp = ConnectorAccess(by_protocol[Protocol.SMTP], access).smtp()
    smtp.close()
    imap = ConnectorAccess(by_protocol[Protocol.IMAP], access).imap()
    imap.close()
    assert tried == [DEAD, *[LOOPBACK] * 3]
