"""A refresh token that is consumed by use: the new one is kept before its access token is used, or the old one is reported as spent."""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest

from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import TimedOut, TokenFault
from reconciler.mail.oauth import AuthlibTokens
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets import file_replacement
from reconciler.secrets.registry import Resolver
from reconciler.values import replace
from tests.unit.mail.conftest import refusal, token
from tests.unit.mail.test_oauth import DELEGATED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.mail.conftest import Answer, Issuer

FILE = replace(DELEGATED, refresh_token=SecretRef("file", "token"))


class Rotating:
    """A token endpoint that takes each refresh token once."""

    def __init__(self, first: str = "rt-first-0") -> None:
        self.good = first
        self._numbers = count(1)

    def __call__(self, form: dict[str, str]) -> Answer:
        if form["refresh_token"] != self.good:
            return refusal("invalid_grant", "AADSTS70000: it was used before")
        self.good = f"rt-next-{next(self._numbers)}"
        return token(expires_in=0, refresh_token=self.good)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    path = tmp_path / "token"
    path.write_text("rt-first-0\n")
    path.chmod(0o600)
    return path


def run_of(issuer: Issuer, folder: Path, **environ: str) -> AuthlibTokens:
    """The tokens of one process."""
    resolver = Resolver(environ, allow_command=False, base=folder)
    return AuthlibTokens(resolver, connect_to=issuer.connect_to, ca_file=issuer.ca_file)


def test_the_second_run_finds_what_the_first_one_was_given(issuer: Issuer, file: Path) -> None:
    issuer.answer = rotating = Rotating()
    for _ in range(3):
        tokens = run_of(issuer, file.parent)
        for _ in range(2):
            assert tokens.token(FILE, "ada@x.example", Deadline(10)).reveal() == "at-1"
        assert tokens.spent(FILE) == ""
    assert file.read_text() == f"{rotating.good}\n"
    assert len(issuer.requests) == 6


def test_two_requests_with_one_refresh_token_take_turns(issuer: Issuer, file: Path) -> None:
    """The scopes of IMAP and SMTP differ at Microsoft, and the refresh token is the same."""
    issuer.answer = Rotating()
    tokens = [run_of(issuer, file.parent) for _ in range(2)]
    wishes = [replace(FILE, scopes=(scope, "offline_access")) for scope in ("imap", "smtp")]
    failed: list[BaseException] = []

    def fetch(source: AuthlibTokens, number: int) -> None:
        try:
            for _ in range(3):
                source.token(wishes[number % 2], "ada@x.example", Deadline(30))
        except BaseException as error:  # noqa: BLE001 - looked at below
            failed.append(error)

    threads = [
        threading.Thread(target=fetch, args=(source, number))
        for source in tokens for number in range(2)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert len(issuer.requests) == 12


def test_it_is_kept_before_the_access_token_is_used(issuer: Issuer, file: Path) -> None:
    issuer.answer = lambda _: (200, '{"token_type": "Bearer", "refresh_token": "rt-next-1"}')
    with pytest.raises(Exception, match="no token"):
        run_of(issuer, file.parent).token(FILE, "ada@x.example", Deadline(10))
    issuer.answer = rotating = Rotating()
    tokens = run_of(issuer, file.parent)
    seen = []

    class Watched(Resolver):
        def replace(self, *arguments: object) -> None:
            seen.append(rotating.good)
            super().replace(*arguments)  # type: ignore[arg-type]  # as they came

    resolver = Watched({}, allow_command=False, base=file.parent)
    tokens = AuthlibTokens(resolver, connect_to=issuer.connect_to, ca_file=issuer.ca_file)
    assert tokens.token(FILE, "ada@x.example", Deadline(10)).reveal() == "at-1"
    assert seen == ["rt-next-1"]


def test_a_token_that_cannot_be_written_is_reported_as_spent(issuer: Issuer, file: Path) -> None:
    issuer.answer = Rotating()
    tokens = run_of(issuer, file.parent, REFRESH="rt-first-0")
    for _ in range(2):  # within one process it goes on
        assert tokens.token(DELEGATED, "ada@x.example", Deadline(10)).reveal() == "at-1"
    spent = tokens.spent(DELEGATED)
    assert "env:REFRESH names is spent" in spent
    assert "env: references are only read" in spent
    assert "rt-" not in spent
    with pytest.raises(TokenFault) as refused:
        run_of(issuer, file.parent, REFRESH="rt-first-0").token(
            DELEGATED, "a@x.example", Deadline(10)
        )
    assert refused.value.error == "invalid_grant"


@pytest.mark.parametrize("new", ["two words", "a\nline", "x" * 20_000])
def test_an_endpoint_writes_nothing_but_a_token(issuer: Issuer, file: Path, new: str) -> None:
    issuer.answer = lambda _: token(expires_in=3600, refresh_token=new)
    tokens = run_of(issuer, file.parent)
    assert tokens.token(FILE, "ada@x.example", Deadline(10)).reveal() == "at-1"
    assert "not a token" in tokens.spent(FILE)
    assert file.read_text() == "rt-first-0\n"


def test_a_link_in_the_project_is_not_written_through(
    issuer: Issuer, file: Path, tmp_path: Path
) -> None:
    issuer.answer = Rotating()
    project = tmp_path / "project"
    project.mkdir()
    (project / "token").symlink_to(file)
    tokens = run_of(issuer, project)
    assert tokens.token(FILE, "ada@x.example", Deadline(10)).reveal() == "at-1"
    assert "because a link leads to it" in tokens.spent(FILE)
    assert file.read_text() == "rt-first-0\n"


def test_the_wait_for_another_process_ends(issuer: Issuer, file: Path) -> None:
    held = file_replacement.hold("token", base=file.parent)
    assert held is not None
    with pytest.raises(TimedOut):
        run_of(issuer, file.parent).token(FILE, "ada@x.example", Deadline(0.5))
    held.close()
    assert issuer.requests == []


def test_a_token_that_is_put_there_by_hand_is_used(issuer: Issuer, file: Path) -> None:
    issuer.answer = rotating = Rotating()
    tokens = run_of(issuer, file.parent)
    tokens.token(FILE, "ada@x.example", Deadline(10))
    rotating.good = "rt-by-hand-1"
    file.write_text("rt-by-hand-1")
    tokens.token(FILE, "ada@x.example", Deadline(10))
    assert issuer.requests[-1]["refresh_token"] == "rt-by-hand-1"
