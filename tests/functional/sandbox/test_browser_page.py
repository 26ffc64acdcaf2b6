"""The sandbox's mail in headless Chromium, which decides for itself what a mail may do."""

from __future__ import annotations

import os
import re
import shutil
import socketserver
import subprocess
import threading
from base64 import b64decode
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.sandbox.session import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.connector import Connector
    from reconciler.sandbox.session import Session
    from tests.functional.sandbox.conftest import Clients

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
SUPPORT: Final = "support@corp.example"
MAILBOX: Final = "support%40corp.example%20at%20imap.corp.example"

HOSTILE: Final = """\
<h1>Your invoice</h1><p style="color: #0a7d33">Thank you &amp; see you soon.</p>
<script>fetch('http://TRACKER/script')</script>
<img src="http://TRACKER/image" onerror="fetch('http://TRACKER/onerror')">
<link rel="stylesheet" href="http://TRACKER/style"><style>body { background: url(http://TRACKER/css) }</style>
<link rel="preconnect" href="http://TRACKER/"><LINK rel="dns-prefetch" href="http://TRACKER/">
<link rel="prefetch" href="http://TRACKER/prefetch">
<meta http-equiv="refresh" content="0;url=http://TRACKER/refresh">
<iframe src="http://TRACKER/frame"></iframe><object data="http://TRACKER/object"></object>
<video src="http://TRACKER/video" autoplay></video><base href="http://TRACKER/">
<form action="http://TRACKER/form"><input name="password"><button autofocus>Sign in</button></form>
<svg onload="fetch('http://TRACKER/svg')"></svg>
"""


GREEN: Final = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgaGAAAAEEAIFw9selAAAAAElFTkSuQmCC"
)
"""One pixel."""


def hostile_mail(tracker: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = f"Contoso <{SUPPORT}>", SUPPORT
    mail["Subject"] = "<script>document.title = 'owned'</script>Invoice"
    mail.set_content("Thank you & see you soon.\n<script>document.title = 'owned'</script>")
    mail.add_alternative(HOSTILE.replace("TRACKER", tracker), subtype="html")
    mail.add_attachment(b"1,2\n", maintype="text", subtype="csv", filename='<b>"x".csv')
    return mail


@contextmanager
def tracker() -> Iterator[tuple[str, list[bytes]]]:
    """Listen on loopback and note the first line of each connection, as a sender's server would."""
    seen: list[bytes] = []

    class Noting(socketserver.StreamRequestHandler):
        timeout = 5

        def handle(self) -> None:
            seen.append(self.rfile.readline())
            self.wfile.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Noting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., str]:
    """Open an address in Chromium and return the document that it made of it."""
    if CHROMIUM is None:
        if os.environ.get("RECONCILER_REQUIRE_SERVERS") == "1":
            pytest.fail("Chromium is not installed (apt-get install chromium)")
        pytest.skip("Chromium is not installed (apt-get install chromium)")

    def run(address: str, *options: str) -> str:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", profile]
        done = subprocess.run(
            [*command, "--disable-dev-shm-usage", "--virtual-time-budget=3000", *options, address],
            check=True,
            capture_output=True,
            text=True,
            timeout=90,
        )
        return done.stdout

    return run


def mail_with_picture(content_id: str) -> EmailMessage:
    """A mail whose HTML is one large picture, by the name ``logo``, which only one of that name fills."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SUPPORT, SUPPORT, "A picture"
    mail.set_content('<img src="cid:logo" width="600" height="300">', subtype="html")
    mail.add_related(GREEN, maintype="image", subtype="png", cid=f"<{content_id}>")
    return mail


def test_chromium_shows_the_pictures_of_the_mail_itself(
    tmp_path: Path,
    clients: Callable[[Session], Clients],
    connector: Callable[..., Connector],
    browse: Callable[..., str],
) -> None:
    account = connector()
    with Sandbox((account,), tmp_path / "sandbox", web=True) as session:
        shown = []
        for number, content_id in enumerate(("logo", "other"), 1):
            clients(session).signed_in_smtp(account).send_message(mail_with_picture(content_id))
            link = f"{session.web_address}mailbox/{MAILBOX}/INBOX/"
            found = re.findall(r"/INBOX/([0-9]+)/", browse(link, "--dump-dom"))
            assert len(found) == number
            picture = tmp_path / f"{content_id}.png"
            newest = max(map(int, found))
            browse(f"{link}{newest}/html", f"--screenshot={picture}", "--window-size=700,400")
            shown.append(picture.read_bytes())
        assert shown[0] != shown[1]


def test_chromium_shows_a_hostile_mail_without_running_anything(
    tmp_path: Path,
    clients: Callable[[Session], Clients],
    connector: Callable[..., Connector],
    browse: Callable[..., str],
) -> None:
    account = connector()
    with (
        tracker() as (host, seen),
        Sandbox((account,), tmp_path / "sandbox", web=True) as session,
    ):
        clients(session).signed_in_smtp(account).send_message(hostile_mail(host))
        assert session.web_address is not None
        listed = browse(f"{session.web_address}mailbox/{MAILBOX}/INBOX/", "--dump-dom")
        (number,) = re.findall(r"/INBOX/([0-9]+)/", listed)
        link = f"{session.web_address}mailbox/{MAILBOX}/INBOX/{number}/"
        read = browse(link, "--dump-dom")
        for document in (listed, read):
            assert "<title>owned" not in document
            assert "<script" not in document
            assert "&lt;script&gt;" in document
        # Opened by itself, outside the frame, the HTML may do no more than in it.
        alone = browse(f"{link}html", "--dump-dom")
        assert "Your invoice</h1>" in alone
        picture = tmp_path / "mail.png"
        browse(link, f"--screenshot={picture}", "--window-size=1100,1400")
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert seen == []
        browse(f"http://{host}/", "--dump-dom")
        assert seen, "the tracker itself hears Chromium"
    assert session.journal.faults == ()
