"""``reconciler login``: in a sandbox where codes count as entered at the second request."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING

import pytest

from reconciler.config.load import load
from reconciler.sandbox.session import Sandbox
from tests.functional.cli.test_spent_tokens import CONNECTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.functional.conftest import Home

GMAIL = """\
kind: EmailConnector
name: support
provider: gmail
imap:
  username: support@gmail.example
  oauth2:
    grant: refresh_token
    client_id: app.apps.googleusercontent.example
    client_secret: env:CLIENT_SECRET
    refresh_token: file:token
"""


@pytest.fixture
def play(bare: Home, tmp_path: Path) -> Iterator[Callable[[str], Home]]:
    sessions = []

    def start(text: str) -> Home:
        bare.write("support.yaml", text)
        snapshot = load(bare.config).snapshot
        assert snapshot is not None
        session = Sandbox(snapshot.connectors, tmp_path / "sandbox", base=bare.folder)
        sessions.append(session)
        bare.environ |= session.__enter__().environment
        del bare.environ["RECONCILER_STATE"]
        return bare

    yield start
    for session in sessions:
        session.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("text", "path", "page"),
    [
        (CONNECTOR, "tokens/support", "https://microsoft.com/devicelogin"),
        (GMAIL, "token", "https://www.google.com/device"),
    ],
    ids=["microsoft", "google"],
)
def test_the_first_refresh_token_is_stored_at_the_connectors_reference(
    play: Callable[[str], Home], text: str, path: str, page: str
) -> None:
    home = play(text)
    token = home.folder / path
    token.parent.mkdir(exist_ok=True, mode=0o755)
    done = home("login", "support")
    assert done.status == 0, done.said
    assert page in done.err
    assert re.search(r"^    [A-Z]{4}-[A-Z]{4}$", done.err, re.MULTILINE)
    assert (
        done.out
        == f"The refresh token of support is in file:{path}.\nNext: reconciler test support\n"
    )
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    first = token.read_text()
    assert first.strip() not in done.said
    for command in (("test", "support"), ("apply", "--auto-approve"), ("test", "support")):
        tested = home(*command)
        assert tested.status == 0, tested.said
    assert token.read_text() != first


def test_an_existing_token_is_replaced_only_on_request(play: Callable[[str], Home]) -> None:
    home = play(CONNECTOR)
    (home.folder / "tokens").mkdir(mode=0o755)
    assert home("login", "support").status == 0
    first = (home.folder / "tokens" / "support").read_text()
    refused = home("login", "support")
    assert refused.status == 64
    assert "--replace" in refused.err
    assert "enter this code" not in refused.err
    assert (home.folder / "tokens" / "support").read_text() == first
    assert home("login", "support", "--replace").status == 0
    assert (home.folder / "tokens" / "support").read_text() != first


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("file:tokens/support", "env:TOKEN", "file: or a keyring: reference"),
        ("name: support", "name: another", "there is no connector support"),
    ],
)
def test_an_impossible_login_is_rejected_before_it_begins(
    home: Home, old: str, new: str, words: str
) -> None:
    home.write("office.yaml", CONNECTOR.replace("name: support", "name: office").replace(old, new))
    done = home("login", "office" if old.startswith("file:") else "nobody")
    assert done.status == 64
    assert words.replace("support", "nobody") in done.err


def test_a_connector_with_a_password_has_nothing_to_log_in_for(home: Home) -> None:
    done = home("login", "payroll")
    assert done.status == 64
    assert "grant: refresh_token" in done.err


def test_a_login_somewhere_new_requires_approval(play: Callable[[str], Home]) -> None:
    home = play(GMAIL)
    del home.environ["RECONCILER_ALLOW_CREDENTIAL"]
    places = home.environ["RECONCILER_CONNECT_TO"].split()
    home.environ["RECONCILER_CONNECT_TO"] = " ".join(item for item in places if item != "*")
    done = home("login", "support")
    assert done.status == 5, done.said
    assert not (home.folder / "token").exists()


def test_an_unavailable_server_is_unreachable(play: Callable[[str], Home]) -> None:
    home = play(GMAIL)
    home.redirect("oauth2.googleapis.com", 443, 1)
    done = home("login", "support")
    assert done.status == 9, done.said


def test_nothing_is_written_through_a_link(play: Callable[[str], Home], tmp_path: Path) -> None:
    home = play(GMAIL)
    (home.folder / "token").symlink_to(tmp_path / "elsewhere")
    done = home("login", "support")
    assert done.status == 4, done.said
    assert "link" in done.err
    assert not (tmp_path / "elsewhere").exists()


def test_a_login_is_recorded_as_an_attempt(play: Callable[[str], Home]) -> None:
    home = play(GMAIL)
    home.environ["RECONCILER_ACTOR"] = "ada@gmail.example"
    home.apply_untested()
    redirected = home.environ["RECONCILER_CONNECT_TO"].removesuffix(" *")
    home.environ["RECONCILER_CONNECT_TO"] = redirected  # in a sandbox nothing is recorded
    assert home("login", "support").status == 0
    found = json.loads(home("history", "attempts", "--format", "json").out)["attempts"]
    assert {(item["command"], item["reference"], item["outcome"]) for item in found} == {
        ("login", "env:CLIENT_SECRET", "signed_in"),
        ("login", "file:token", "signed_in"),
    }
    assert {item["actor"] for item in found} == {"ada@gmail.example"}
    home.redirect("oauth2.googleapis.com", 443, 1)
    assert home("login", "support", "--replace").status == 9
    found = json.loads(home("history", "attempts", "--format", "json").out)["attempts"]
    assert [item["outcome"] for item in found].count("not_sent") == 2
