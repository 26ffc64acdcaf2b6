"""Token endpoints behind a web proxy: reached through it, verified as usual, and its password never shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.connection.access import Access
from reconciler.connection.account import accounts
from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.errors import SendFailed
from reconciler.mail.dial import ConnectTo
from reconciler.mail.oauth import AuthlibTokens
from reconciler.mail.web_proxy import ProxySettings
from reconciler.model.connector import Connector, Grant, OAuth2, Security
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.sending.access import ConnectorAccess
from reconciler.values import replace
from tests.hostile.conftest import HOST, TIMEOUT, Passwords, connector_for
from tests.hostile.connect_proxy import ConnectProxy
from tests.hostile.scripts import imap
from tests.servers.loopback import free_port

if TYPE_CHECKING:
    from reconciler.connection.failure import Failure
    from tests.hostile.conftest import Certificates
    from tests.hostile.server import HostileServer, Peer, Script

ENDPOINT = f"login.{HOST}"
USER, PASSWORD = "nadia", "p@ss/w:rd-9Zq"
IN_URL = "nadia:p%40ss%2Fw%3Ard-9Zq"
TOKEN = b'HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n{"access_token": "at-7", "token_type": "Bearer"} '


def issuing(peer: Peer) -> None:
    """Issue a token."""
    size = 0
    while line := peer.line():
        name, _, value = line.partition(": ")
        size = int(value) if name.lower() == "content-length" else size
    peer.octets(size)
    peer.send(TOKEN)


@dataclass(frozen=True)
class Bench:
    """A correct mail server, and how its account is tested behind a proxy."""

    connector: Connector
    options: ProbeOptions

    def test(self, proxy: str, *, no_proxy: str = "", **changes: Any) -> Failure | None:
        """Test the account, and return why it could not sign in; None if it could."""
        environ = {"HTTPS_PROXY": proxy, "NO_PROXY": no_proxy}
        options = replace(self.options, proxies=ProxySettings.of(environ), **changes)
        (result,) = run([self.connector], Passwords(), options)
        for text in (PASSWORD, IN_URL, "nadia"):
            assert text not in repr(result)
        failed = result.protocols[0].failed
        if failed is None:
            return None
        assert failed.stage is Stage.AUTHENTICATION, result
        assert failed.failure is not None
        return failed.failure


@pytest.fixture
def bench(serve: Callable[..., HostileServer], certificates: Certificates) -> Bench:
    mail = serve(imap(greeting="* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n"))
    connector = connector_for(Protocol.IMAP, Security.NONE)
    assert connector.imap is not None
    oauth2 = OAuth2(
        grant=Grant.CLIENT_CREDENTIALS,
        client_id="app",
        client_secret=SecretRef("env", "CLIENT_SECRET"),
        token_endpoint=f"https://{ENDPOINT}/token",
        scopes=("mail",),
    )
    options = ProbeOptions(
        timeout=10.0,
        retries=0,
        depth=Stage.AUTHENTICATION,
        ca_file=str(certificates.ca_file),
        connect_to=ConnectTo.parse([f"{HOST}:4711=127.0.0.1:{mail.port}"]),
    )
    imap_account = replace(connector.imap, password=None, oauth2=oauth2)
    return Bench(replace(connector, imap=imap_account), options)


@pytest.fixture
def proxied() -> Iterator[Callable[..., ConnectProxy]]:
    with ExitStack() as stack:

        def start(port: int, user: str = "") -> ConnectProxy:
            return stack.enter_context(ConnectProxy({f"{ENDPOINT}:443": port}, user))

        yield start


@pytest.fixture
def issuer(serve: Callable[..., HostileServer], certificates: Certificates) -> HostileServer:
    return serve(issuing, certificates.endpoint)


Proxied = Callable[..., ConnectProxy]


@pytest.mark.parametrize("user", ["", f"{USER}:{PASSWORD}"])
def test_a_token_comes_through_the_proxy_and_the_proxy_sees_nothing_of_it(
    bench: Bench, issuer: HostileServer, proxied: Proxied, user: str
) -> None:
    proxy = proxied(issuer.port, user)
    url = f"http://{IN_URL}@127.0.0.1:{proxy.port}/" if user else f"127.0.0.1:{proxy.port}"
    assert bench.test(url) is None
    assert proxy.asked == [f"CONNECT {ENDPOINT}:443"], "by name: the proxy looks it up"
    assert len(issuer.peers) == 1
    assert proxy.passed
    assert b"client_secret" not in proxy.passed
    assert b"at-7" not in proxy.passed


def test_the_endpoints_certificate_is_checked_through_any_proxy(
    bench: Bench,
    serve: Callable[..., HostileServer],
    certificates: Certificates,
    proxied: Proxied,
) -> None:
    for context in (certificates.untrusted, certificates.wrong_name):
        forged = serve(issuing, context)
        proxy = proxied(forged.port)
        failure = bench.test(f"http://127.0.0.1:{proxy.port}")
        assert failure is not None
        assert f"through the proxy 127.0.0.1:{proxy.port}" in failure.cause
        assert "certificate verify failed" in failure.cause
        assert "inspects TLS" in failure.remedy
        assert forged.lines == [], "no request was made"


@pytest.mark.parametrize("url_user", ["", f"{IN_URL}@"])
def test_a_proxy_that_requires_sign_in_says_where_to_put_it(
    bench: Bench, issuer: HostileServer, proxied: Proxied, url_user: str
) -> None:
    proxy = proxied(issuer.port, "somebody:else")
    failure = bench.test(f"http://{url_user}127.0.0.1:{proxy.port}")
    assert failure is not None
    assert failure.error_class is ErrorClass.REFUSED
    assert "HTTP 407" in failure.cause
    assert ("Correct the user name" if url_user else "USER:PASSWORD@HOST:PORT") in failure.remedy
    assert issuer.peers == []


def test_a_proxy_that_forbids_the_endpoint_is_named(bench: Bench, proxied: Proxied) -> None:
    with ConnectProxy({}) as proxy:
        failure = bench.test(f"http://127.0.0.1:{proxy.port}")
        assert failure is not None
        assert failure.error_class is ErrorClass.REFUSED
        assert f"through the proxy 127.0.0.1:{proxy.port}: the proxy answered with HTTP 403" in (
            failure.cause
        )
        assert "Have the proxy allow the endpoint" in failure.remedy


def answering(data: bytes) -> Script:
    """Answer CONNECT with these octets, and hang up."""

    def script(peer: Peer) -> None:
        while peer.line():
            pass
        peer.send(data)

    return script


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nhaha", "HTTP 502"),
        (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "HTTP 504"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 400 Bad\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", "does not answer CONNECT"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n", "does not answer CONNECT"),
        (b"HTTP/1.1 100 Wait\r\n\r\n" * 200_000, "does not answer CONNECT"),
        (b"HTTP/2 200\r\n\r\n", "does not answer CONNECT"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer CONNECT"),
        (b"\x16\x03\x01\x00\xff\n", "does not answer CONNECT"),
        (b"", "hung up"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n", "hung up"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore before TLS", "unprotected"),
    ],
)
def test_any_other_answer_of_a_proxy_is_reported_in_one_sentence(
    bench: Bench, serve: Callable[..., HostileServer], data: bytes, says: str
) -> None:
    proxy = serve(answering(data))
    failure = bench.test(f"http://{IN_URL}@127.0.0.1:{proxy.port}")
    assert failure is not None
    assert says in failure.cause
    assert ENDPOINT in failure.cause
    assert len(proxy.peers) == 1, "it is asked once"


def test_a_silent_proxy_has_a_deadline(bench: Bench, serve: Callable[..., HostileServer]) -> None:
    proxy = serve(lambda peer: peer.hold())
    failure = bench.test(f"http://127.0.0.1:{proxy.port}", timeout=2.0)
    assert failure is not None
    assert failure.error_class is ErrorClass.TIMEOUT
    assert f"127.0.0.1:{proxy.port}" in failure.cause


def test_a_proxy_that_does_not_exist_is_reported(bench: Bench) -> None:
    failure = bench.test(f"http://{IN_URL}@127.0.0.1:{free_port()}")
    assert failure is not None
    assert failure.error_class is ErrorClass.REFUSED
    assert "the proxy takes no connection" in failure.cause
    failure = bench.test("http://proxy.invalid:3128")
    assert failure is not None
    assert failure.error_class is ErrorClass.DNS
    assert "the name of the proxy cannot be resolved" in failure.cause


@pytest.mark.parametrize(
    "url", ["socks5://nadia:secret@127.0.0.1:1080", f"http://nadia:{PASSWORD}@127.0.0.1:3128"]
)
def test_a_variable_that_cannot_be_used_is_named_and_not_repeated(bench: Bench, url: str) -> None:
    failure = bench.test(url)
    assert failure is not None
    assert failure.error_class is ErrorClass.CONFIG_INVALID
    assert "HTTPS_PROXY" in failure.cause
    assert "secret" not in failure.cause


@pytest.mark.parametrize("how", ["no_proxy", "connect_to"])
def test_an_exception_or_a_redirected_host_needs_no_proxy(
    bench: Bench, issuer: HostileServer, proxied: Proxied, how: str
) -> None:
    proxy = proxied(issuer.port)
    led = (*bench.options.connect_to.redirections, ((ENDPOINT, 443), ("127.0.0.1", issuer.port)))
    excepted = how == "no_proxy"
    failure = bench.test(
        f"http://127.0.0.1:{proxy.port}",
        no_proxy=".hostile.example" if excepted else "",
        connect_to=bench.options.connect_to if excepted else ConnectTo(led),
    )
    assert proxy.asked == []
    if excepted:
        assert failure is not None
        assert failure.error_class is ErrorClass.DNS, "its name is looked up here"
    else:
        assert failure is None


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("excepted", [False, True])
def test_a_mail_server_is_never_reached_through_it_and_the_failure_says_so(
    protocol: Protocol, excepted: bool
) -> None:
    connector = connector_for(protocol, Security.IMPLICIT)
    proxies = ProxySettings.of(
        {"HTTPS_PROXY": "127.0.0.1:9", "NO_PROXY": "*.invalid, 255.0.0.0/8" if excepted else ""}
    )
    options = ProbeOptions(timeout=TIMEOUT, retries=0, proxies=proxies)
    for host in ("mail.hostile.invalid", "255.255.255.255"):
        account = connector.imap or connector.smtp
        assert account is not None
        moved: dict[str, Any] = {protocol.value: replace(account, server=host)}
        (result,) = run([replace(connector, **moved)], Passwords(), options)
        failed = result.protocols[0].failed
        assert failed is not None
        assert failed.failure is not None
        said = f"HTTPS_PROXY is used for token endpoints only: {protocol.upper()} needs"
        assert (said in failed.failure.remedy) is not excepted, failed.failure


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("excepted", [False, True])
def test_the_sender_of_a_mail_gets_the_same_explanation(protocol: Protocol, excepted: bool) -> None:
    connector = connector_for(protocol, Security.IMPLICIT)
    server = connector.imap or connector.smtp
    assert server is not None
    moved: dict[str, Any] = {protocol.value: replace(server, server="255.255.255.255")}
    (account,) = accounts(replace(connector, **moved))
    proxies = ProxySettings.of(
        {"HTTPS_PROXY": "127.0.0.1:9", "NO_PROXY": "255.0.0.0/8" if excepted else ""}
    )
    options = ProbeOptions(timeout=TIMEOUT, retries=0, proxies=proxies)
    secrets = Passwords()
    access = ConnectorAccess(account, Access(secrets, AuthlibTokens(secrets), options))
    with pytest.raises(SendFailed) as caught:
        access.smtp() if protocol is Protocol.SMTP else access.imap()
    said = f"HTTPS_PROXY is used for token endpoints only: {protocol.upper()} needs"
    assert (said in (caught.value.hint or "")) is not excepted, caught.value
