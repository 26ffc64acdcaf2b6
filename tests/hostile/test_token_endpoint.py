"""Token endpoints that lie, stall and flood: no token, one class, in time, and no secret sent elsewhere."""

from __future__ import annotations

import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Grant, OAuth2, Security
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.runner import run
from reconciler.values import replace
from tests.hostile.conftest import HOST, PASSWORD, Passwords, connector_for
from tests.hostile.scripts import imap

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from reconciler.connection.failure import Failure
    from tests.hostile.conftest import Certificates
    from tests.hostile.server import HostileServer, Peer, Script

    Ask = Callable[..., tuple[Failure, HostileServer]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def ask(serve: Callable[..., HostileServer], certificates: Certificates) -> Ask:
    """Sign in to a correct mail server, with a token from an endpoint that follows this script."""

    def test(
        script: Script, *, context: ssl.SSLContext | None = None, timeout: float = 10.0
    ) -> tuple[Failure, HostileServer]:
        mail = serve(imap(greeting="* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n"))
        endpoint = serve(script, context or certificates.good)
        connector = connector_for(Protocol.IMAP, Security.NONE)
        assert connector.imap is not None
        oauth2 = OAuth2(
            grant=Grant.CLIENT_CREDENTIALS,
            client_id="app",
            client_secret=SecretRef("env", "CLIENT_SECRET"),
            token_endpoint=f"https://{HOST}/token",
            scopes=("mail",),
        )
        connector = replace(connector, imap=replace(connector.imap, password=None, oauth2=oauth2))
        options = ProbeOptions(
            timeout=timeout,
            retries=0,
            ca_file=str(certificates.ca_file),
            connect_to=ConnectTo.parse(
                [f"{HOST}:4711=127.0.0.1:{mail.port}", f"{HOST}:443=127.0.0.1:{endpoint.port}"]
            ),
        )
        (result,) = run([connector], Passwords(), options)
        ((_, stage, failure),) = result.failures
        assert stage.stage is Stage.AUTHENTICATION
        assert PASSWORD not in repr(result)
        assert not mail.commands("AUTHENTICATE", "LOGIN")
        return failure, endpoint

    return test


def answering(data: bytes) -> Script:
    """Answer a request with these octets, and hang up."""

    def script(peer: Peer) -> None:
        size = 0
        while line := peer.line():
            name, _, value = line.partition(": ")
            size = int(value) if name.lower() == "content-length" else size
        peer.octets(size)  # or closing would discard what was sent
        peer.send(data)

    return script


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff\x00\r\n\r\n",
        b"* OK IMAP4rev1 ready\r\n",
        b"HTTP/1.1 999 what\r\n\r\n",
        HEAD + b"Content-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Length: 4\r\n\r\nnull",
        HEAD + b'Content-Length: 9\r\n\r\n{"a": \x00\xff',
        HEAD + b'Content-Length: 99\r\n\r\n{"access_token": "half',
        HEAD + b"Content-Length: 4294967296\r\n\r\n{}",
        HEAD + b"Content-Length: many\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nlots\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n",
        HEAD + b"X: y\r\n" * 1000 + b"\r\n{}",
    ],
)
def test_an_invalid_answer_gives_no_token(ask: Ask, data: bytes) -> None:
    failure, endpoint = ask(answering(data))
    assert failure.error_class is ErrorClass.OAUTH_TOKEN
    assert HOST in failure.cause
    assert len(endpoint.peers) == 1, "it is asked once"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 503 Down\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 429 Slow\r\nContent-Length: 6\r\n\r\n<html>",
        b'HTTP/1.1 400 No\r\nContent-Length: 36\r\n\r\n{"error": "temporarily_unavailable"} ',
    ],
)
def test_an_unavailable_endpoint_is_not_the_accounts_fault(ask: Ask, data: bytes) -> None:
    failure, _ = ask(answering(data))
    assert failure.error_class is ErrorClass.REFUSED
    assert HOST in failure.cause


def test_without_the_extra_the_error_says_what_to_install(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "reconciler.mail.grants", raising=False)
    monkeypatch.setitem(sys.modules, "authlib.oauth2.base", None)
    failure, endpoint = ask(answering(b""))
    assert failure.error_class is ErrorClass.CONFIG_INVALID
    assert "authlib, which is not installed" in failure.cause
    assert "pip install '.[oauth]'" in failure.remedy
    assert endpoint.peers == []


def test_an_endpoint_that_says_nothing_has_a_deadline(ask: Ask) -> None:
    failure, _ = ask(lambda peer: peer.hold(), timeout=2.0)
    assert failure.error_class is ErrorClass.TIMEOUT


@pytest.mark.parametrize("head", [b"", HEAD, HEAD + b"Content-Length: 100000\r\n\r\n"])
def test_an_octet_at_a_time_has_a_deadline_too(ask: Ask, head: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send(head)
        peer.drip(b"x" * 1000)

    failure, _ = ask(script, timeout=2.0)
    assert failure.error_class is ErrorClass.TIMEOUT


@pytest.mark.parametrize("head", [b"", HEAD, HEAD + b"Content-Length: 99999999999\r\n\r\n"])
@pytest.mark.parametrize("text", [b"x" * 65536, b"x: y\r\n" * 4096], ids=["line", "lines"])
def test_endless_text_is_cut_off_in_bounded_memory(ask: Ask, head: bytes, text: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send(head)
        while True:
            peer.send(text)

    tracemalloc.start()
    try:
        failure, _ = ask(script)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failure.error_class is ErrorClass.OAUTH_TOKEN
    assert peak < 20_000_000


@pytest.mark.parametrize("kind", ["untrusted", "self_signed", "wrong_name", "expired"])
def test_a_bad_certificate_gets_no_client_secret(
    ask: Ask, certificates: Certificates, kind: str
) -> None:
    failure, endpoint = ask(answering(b""), context=getattr(certificates, kind))
    assert failure.error_class is ErrorClass.OAUTH_TOKEN
    assert "certificate verify failed" in failure.cause
    assert endpoint.lines == []


def test_an_endpoint_that_repeats_the_secret_is_not_quoted(ask: Ask) -> None:
    body = (
        f'{{"error": "invalid_client", "error_description": "no such secret: {PASSWORD}"}}'.encode()
    )
    answer = b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    failure, _ = ask(answering(answer))
    assert failure.error_class is ErrorClass.OAUTH_TOKEN
    assert PASSWORD not in failure.cause + failure.remedy + failure.reply
