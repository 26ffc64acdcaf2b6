"""The sandbox's mail in a browser: over HTTP, with mails that attack their reader."""

from __future__ import annotations

import html
import http.client
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from reconciler.sandbox.session import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.connector import Connector
    from reconciler.sandbox.session import Session
    from tests.functional.sandbox.conftest import Clients

TIMEOUT = 20
SCRIPT = "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>"
SUPPORT = "support@corp.example"


class Page:
    """An answer of the web server."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def links(self) -> list[str]:
        return [html.unescape(link) for link in re.findall(r'<a href="([^"]*)"', self.text)]


class Reader:
    """A mailbox owner with a browser, and with a program that sends to the mailbox."""

    def __init__(self, session: Session, clients: Clients, connector: Connector) -> None:
        self.session = session
        assert session.web_address is not None
        self.address = urlsplit(session.web_address)
        self._clients, self._connector = clients, connector

    def ask(self, path: str, method: str = "GET", host: str | None = None) -> Page:
        connection = http.client.HTTPConnection(
            self.address.hostname or "", self.address.port, timeout=TIMEOUT
        )
        connection.sock = self.connect()
        try:
            connection.request(method, path, headers={"Host": host or self.address.netloc})
            return Page(connection.getresponse())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """Connect without the redirections that the mail clients go by."""
        connection = socket.socket()
        connection.settimeout(TIMEOUT)
        connection.connect((self.address.hostname, self.address.port))
        return connection

    def send(self, content: bytes, to: str = SUPPORT) -> None:
        client = self._clients.signed_in_smtp(self._connector)
        client.sendmail(SUPPORT, [to], content)
        client.quit()

    def folder(self, name: str = "/INBOX/") -> Page:
        links = self.ask(self.address.path).links
        return self.ask(next(link for link in links if link.endswith(name)))

    def newest(self) -> tuple[str, Page]:
        """The link and the page of the newest mail in INBOX."""
        link = self.folder().links[1]
        return link, self.ask(link)


@pytest.fixture
def reader(
    tmp_path: Path, clients: Callable[[Session], Clients], connector: Callable[..., Connector]
) -> Iterator[Reader]:
    account = connector()
    with Sandbox((account,), tmp_path / "sandbox", web=True) as session:
        yield Reader(session, clients(session), account)
    assert session.journal.faults == ()


def mail(*lines: str, sender: str = SUPPORT) -> bytes:
    return "\r\n".join((f"From: {sender}", f"To: {SUPPORT}", *lines, "")).encode()


def test_a_mail_is_listed_and_shown_with_its_text_and_source(reader: Reader) -> None:
    reader.send(mail("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "", "The body & more"))
    assert ">Grüße</a>" in reader.folder().text
    link, page = reader.newest()
    assert "<h1>Grüße</h1>" in page.text
    assert "<pre>The body &amp; more" in page.text
    source = reader.ask(link + "source")
    assert source.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert source.body.startswith(b"Return-Path: <support@corp.example>\r\n")
    assert source.body.endswith(b"\r\n\r\nThe body & more\r\n")


def test_mail_that_would_have_left_is_shown_with_its_recipient(reader: Reader) -> None:
    reader.send(mail("Subject: Outside", "", "x"), to="customer@elsewhere.example")
    page = reader.folder("/outside/")
    assert "<td>customer@elsewhere.example</td>" in page.text
    assert "Delivered-To" in reader.ask(page.links[1]).text
    assert reader.ask(page.links[1].replace("/1/", "/2/")).status == 404
    assert "No mail yet." in reader.folder().text


def test_reading_in_the_browser_marks_nothing_as_read(
    reader: Reader, connector: Callable[..., Connector]
) -> None:
    reader.send(mail("Subject: New", "", "x"))
    reader.newest()
    client = reader._clients.signed_in_imap(connector())
    client.select_folder("INBOX", readonly=True)
    assert client.search(["UNSEEN"]) == client.search() != []


def test_scripts_in_headers_and_names_are_only_text(reader: Reader) -> None:
    reader.send(
        mail(
            f"Subject: {SCRIPT}",
            f"Reply-To: {SCRIPT} <a@b.example>",
            "MIME-Version: 1.0",
            'Content-Type: multipart/mixed; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            SCRIPT,
            "--b",
            "Content-Type: text/<script>",
            "Content-Disposition: attachment; filename*=utf-8''%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
            "",
            "x",
            "--b--",
            sender=f'"{SCRIPT.replace(chr(34), "")}" <{SUPPORT}>',
        )
    )
    for page in (reader.folder(), reader.newest()[1]):
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert "&lt;script&gt;" in page.text


def test_html_is_framed_without_rights_and_served_without_any(reader: Reader) -> None:
    body = "<h1>Hello</h1><script>alert(1)</script><img src=http://tracker.example/p.gif>"
    reader.send(mail("Subject: H", "Content-Type: text/html; charset=utf-8", "", body))
    link, page = reader.newest()
    (frame,) = re.findall(r"<iframe[^>]*>", page.text)
    assert 'sandbox=""' in frame
    assert f'src="{link}html"' in frame
    assert "<h1>Hello" not in page.text
    served = reader.ask(link + "html")
    assert body in served.text
    policy = served.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {"sandbox", "img-src data:", "form-action 'none'", "frame-ancestors 'self'"} < {*policy}
    assert not any(rule.startswith("script-src") for rule in policy)


def test_tags_for_which_a_browser_connects_beforehand_are_renamed(reader: Reader) -> None:
    body = "<IFrame src=//a.example></iframe><link rel=preconnect href=//b.example><p>linked < base</p>"
    reader.send(mail("Content-Type: text/html", "", body))
    served = reader.ask(reader.newest()[0] + "html").text
    renamed = body.replace("<IFrame", "<x-IFrame").replace("<link", "<x-link")
    assert served == renamed + "\r\n"


@pytest.mark.parametrize(
    ("parameter", "saved"),
    [
        ('filename="../../.ssh/authorized_keys"', "authorized_keys"),
        (r'filename="C:\\Windows\\evil.exe"', "evil.exe"),
        ("filename*=utf-8''a%0D%0ASet-Cookie:%20x=1", "a Set-Cookie_ x=1"),
        ("filename*=utf-8''a%22;%20filename=%22b.html", "a_"),
        ("filename*=utf-8''exe.%E2%80%AEgpj", "exe._gpj"),
        ('filename=".."', "attachment-1"),
        ("filename*=no-such-charset''%FF", None),
        (f'filename="{"x" * 500}.pdf"', "x" * 96 + ".pdf"),
    ],
)
def test_an_attachment_is_saved_under_a_harmless_name(
    parameter: str, saved: str | None, reader: Reader
) -> None:
    kind = "Content-Type: text/html"
    reader.send(mail(kind, f"Content-Disposition: attachment; {parameter}", "", SCRIPT))
    link, page = reader.newest()
    assert link + "attachment/1" in page.links
    answer = reader.ask(link + "attachment/1")
    assert answer.body == SCRIPT.encode() + b"\r\n"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Set-Cookie"] is None
    disposition = answer.headers["Content-Disposition"]
    name = re.fullmatch(
        r"""attachment; filename="([^"\\/]+)"; filename\*=UTF-8''[^/; ]+""", disposition
    )
    assert name is not None, disposition
    assert saved is None or name[1] == saved
    for wrong in ("0", "2", "-1", "x", "1/..", "9" * 30):
        assert reader.ask(f"{link}attachment/{wrong}").status == 404


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00 no header",
        mail("Subject: =?utf-8?b?!!!?=", "", "x"),
        mail("Subject: =?no-such-charset?q?x?=", "Content-Type: text/plain; charset=nope", "", "x"),
        mail("Content-Type: multipart/mixed", "", "no boundary"),
        mail('Content-Type: multipart/mixed; boundary="b"', "", "--b", "never ends"),
        mail("Content-Type: text/plain", "Content-Transfer-Encoding: base64", "", "a"),
        mail("Content-Type: text/plain; charset=idna", "", "\x00\x1b[2J"),
        mail("Content-Type: message/rfc822", "", "Subject: inner", "", "x"),
        mail(f"Subject: {'s' * 900}", *(f"X-{n}: x" for n in range(1000)), "", "x"),
    ],
)
def test_a_broken_mail_is_shown_as_far_as_it_goes(content: bytes, reader: Reader) -> None:
    reader.send(content)
    link, page = reader.newest()
    assert page.status == 200
    assert f'href="{link}source"' in page.text
    assert reader.ask(link + "source").status == 200


@pytest.mark.parametrize("depth", [60, 1100])
def test_parts_that_are_nested_too_deep_are_named_and_not_followed(
    depth: int, reader: Reader
) -> None:
    nested = [f'Content-Type: multipart/mixed; boundary="{n}"\r\n\r\n--{n}' for n in range(depth)]
    reader.send(mail("Subject: Deep", *nested, "", "x"), to="customer@elsewhere.example")
    page = reader.ask(reader.folder("/outside/").links[1])
    assert "Its source is complete." in page.text


def test_a_huge_text_is_cut_on_the_page_and_whole_in_the_source(reader: Reader) -> None:
    reader.send(mail("Subject: Huge", "", *["<" * 70] * 20_000))
    link, page = reader.newest()
    assert "The source has the rest of this text." in page.text
    assert page.text.count("&lt;") < 1_000_001
    assert reader.ask(link + "source").body.count(b"<") > 1_400_000


def test_a_long_list_says_what_it_leaves_out(reader: Reader) -> None:
    client = reader._clients.signed_in_smtp(reader._connector)
    for number in range(205):
        client.sendmail(SUPPORT, [SUPPORT], mail(f"Subject: No. {number}.", "", "x"))
    page = reader.folder()
    assert "These are the newest 200 of 205." in page.text
    assert "No. 204." in page.text
    assert "No. 4." not in page.text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1"]
)
def test_another_host_is_refused_since_it_may_be_rebound(host: str, reader: Reader) -> None:
    host = host.format(port=reader.address.port)
    assert reader.ask(reader.address.path, host=host).status == 421
    assert reader.ask(reader.address.path, host=f"localhost:{reader.address.port}").status == 200


def test_only_reading_is_answered(reader: Reader) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = reader.ask(reader.address.path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    head, whole = reader.ask(reader.address.path, "HEAD"), reader.ask(reader.address.path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.body))


def test_without_the_key_of_the_address_nothing_is_shown(reader: Reader) -> None:
    key = reader.address.path
    for path in ("/", "/x/", "/style.css", key[:-2] + "/", key.upper(), key.rstrip("/"), "/%FF/"):
        assert reader.ask(path).status == 404
    for path in (
        "mailbox/nobody/INBOX/",
        "mailbox/support%40corp.example%20at%20imap.corp.example/None/",
        "..%2F..%2Fetc%2Fpasswd",
        "outside/1/",
    ):
        assert reader.ask(key + path).status == 404


def test_every_answer_forbids_to_sniff_to_store_and_to_tell_where_it_came_from(
    reader: Reader,
) -> None:
    for path in (reader.address.path, reader.address.path + "style.css", "/"):
        headers = reader.ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "request_head",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
     b"\xff\xff \xff \xff\r\n\r\n", b"GET / HTTP/9\r\nHost: a\r\n\r\n"],
)  # fmt: skip
def test_a_malformed_request_is_a_bad_request(request_head: bytes, reader: Reader) -> None:
    with reader.connect() as connection:
        connection.sendall(request_head)
        assert connection.makefile("rb").readline() == b"HTTP/1.1 400 Bad Request\r\n"


def test_a_request_without_an_end_is_refused_once_it_is_too_long(reader: Reader) -> None:
    with reader.connect() as connection:
        # Just as much as is too long: octets that nobody reads would reset the connection.
        connection.sendall(b"GET / HTTP/1.1\r\nX: ".ljust(2**16 + 4, b"x"))
        assert connection.recv(20).startswith(b"HTTP/1.1 431 ")


def test_without_the_option_there_is_no_web_server(
    tmp_path: Path, connector: Callable[..., Connector]
) -> None:
    with Sandbox((connector(),), tmp_path / "sandbox") as session:
        assert session.web_address is None
