"""``--show-server-text``: a server's full answer to a sign-in, only on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.functional.terminal import terminal
from tests.hostile.scripts import smtp
from tests.hostile.server import HostileServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.conftest import Home

CONNECTOR = """\
kind: EmailConnector
name: desk
display_name: Desk
enable_mail_send_from: true
smtp:
  server: mail.contoso.example
  port: 4711
  security: none
  allow_cleartext_auth: true
  username: desk@contoso.example
  password: env:DESK_PASSWORD
  email_address: desk@contoso.example
"""
SAID = "535 5.7.8 wrong: zebra 0815"
SHOWN = "535 5.7.8 wrong: …"


@pytest.fixture
def rejecting(bare: Home) -> Iterator[Home]:
    """A folder with one connector, whose server rejects its password in words of its own."""
    bare.write("desk.yaml", CONNECTOR)
    with HostileServer(smtp(AUTH=f"{SAID}\r\n"), None) as server:
        bare.environ |= {
            "DESK_PASSWORD": "k3Qw-92mz-Tr",
            "RECONCILER_CONNECT_TO": f"mail.contoso.example:4711=127.0.0.1:{server.port}",
        }
        yield bare


@pytest.mark.parametrize(
    "command", [("test", "--report", "json=r.json"), ("doctor", "desk", "--report", "json=r.json")]
)
def test_on_a_terminal_the_text_is_shown_and_in_no_report(
    rejecting: Home, command: tuple[str, ...]
) -> None:
    with terminal(rejecting, *command, "--show-server-text") as shell:
        assert shell.wait() == 4, shell.shown
    assert f"ord for word: {SAID}" in shell.shown
    assert f"he server said: {SHOWN}" in shell.shown
    written = (rejecting.folder / "r.json").read_text(encoding="utf-8")
    assert SHOWN in json.dumps(json.loads(written), ensure_ascii=False)
    assert "zebra" not in written


def test_without_the_option_only_known_words_are_shown(rejecting: Home) -> None:
    for command in (("test",), ("doctor", "desk")):
        with terminal(rejecting, *command) as shell:
            assert shell.wait() == 4, shell.shown
        assert SHOWN in shell.shown
        assert "zebra" not in shell.shown


@pytest.mark.parametrize("command", [("test",), ("doctor", "desk")])
def test_without_a_terminal_it_is_rejected_before_any_request(
    rejecting: Home, command: tuple[str, ...]
) -> None:
    done = rejecting.run(*command, "--show-server-text")
    assert done.status == 64
    assert "it needs a terminal outside CI" in done.err
    assert done.out == ""


def test_in_a_ci_job_and_for_other_formats_it_is_refused_on_a_terminal_too(rejecting: Home) -> None:
    with terminal(rejecting, "test", "--show-server-text", environ={"CI": "true"}) as shell:
        assert shell.wait() == 64, shell.shown
    with terminal(rejecting, "test", "--show-server-text", "--format", "junit") as shell:
        assert shell.wait() == 64, shell.shown
    assert "--format junit never includes the server's text." in shell.shown
