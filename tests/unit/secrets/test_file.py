"""``file:/path``."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import SecretError
from reconciler.secrets.outcome import SIZE_LIMIT

Reveal = Callable[[str], str]
Refuse = Callable[[str], SecretError]


def open_descriptors() -> list[str]:
    return [entry.name for entry in Path("/proc/self/fd").iterdir()]


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"correct horse", "correct horse"),
        (b"correct horse\n", "correct horse"),
        (b"correct horse\r\n", "correct horse"),
        (b"correct horse\n\n", "correct horse\n"),
        (b"correct horse\r", "correct horse\r"),
        (b" correct horse \n", " correct horse "),
        (b"-----BEGIN-----\nkey\n-----END-----\n", "-----BEGIN-----\nkey\n-----END-----"),
        ("pässwörd\n".encode(), "pässwörd"),
    ],
)
def test_one_newline_at_the_end_is_dropped(
    tmp_path: Path, reveal: Reveal, octets: bytes, text: str
) -> None:
    tmp_path.joinpath("secret").write_bytes(octets)

    assert reveal(f"file:{tmp_path}/secret") == text


def test_a_relative_path_starts_at_the_base(tmp_path: Path, reveal: Reveal) -> None:
    tmp_path.joinpath("secret").write_text("correct horse")

    assert reveal("file:secret") == reveal("file:./secret") == "correct horse"


def test_links_are_followed_as_kubernetes_lays_them(tmp_path: Path, reveal: Reveal) -> None:
    data = tmp_path / "..2026_11_01"
    data.mkdir()
    data.joinpath("password").write_text("correct horse")
    tmp_path.joinpath("..data").symlink_to(data.name)
    tmp_path.joinpath("password").symlink_to("..data/password")

    assert reveal("file:password") == "correct horse"


def test_the_largest_secret_is_64_kib(tmp_path: Path, reveal: Reveal, refuse: Refuse) -> None:
    tmp_path.joinpath("fits").write_bytes(b"x" * SIZE_LIMIT)
    tmp_path.joinpath("too-large").write_bytes(b"x" * (SIZE_LIMIT + 1))

    assert len(reveal("file:fits")) == SIZE_LIMIT
    assert "is larger than 64 KiB" in refuse("file:too-large").message


def test_a_file_without_end_is_not_read_to_its_end(refuse: Refuse) -> None:
    assert "is not a regular file" in refuse("file:/dev/zero").message


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\r\n", "is empty"),
        (b"caf\xe9", "is not UTF-8 text"),
        ("word".encode("utf-16"), "is not UTF-8 text"),
        ("word".encode("utf-16-le"), "holds a NUL character"),
        ("word".encode("utf-8-sig"), "starts with a byte order mark"),
        (b"\xed\xa0\x80", "is not UTF-8 text"),
    ],
)
def test_an_impossible_password_is_rejected_without_being_shown(
    tmp_path: Path, refuse: Refuse, octets: bytes, reason: str
) -> None:
    tmp_path.joinpath("secret").write_bytes(octets)

    error = refuse("file:secret")

    assert error.message == f"the secret file:secret {reason}"
    assert "word" not in error.hint
    assert "caf" not in error.hint


def test_a_missing_one_is_named(refuse: Refuse) -> None:
    message = "the secret file:missing cannot be read: No such file or directory"
    assert refuse("file:missing").message == message


def test_a_folder_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    assert "is not a regular file" in refuse(f"file:{tmp_path}").message


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, refuse: Refuse) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert "is not a regular file" in refuse("file:pipe").message


def test_a_socket_is_refused(
    tmp_path: Path, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 octets only
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket")
        assert "cannot be read" in refuse("file:socket").message


def test_a_link_to_itself_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    tmp_path.joinpath("loop").symlink_to("loop")

    assert "cannot be read: Too many levels of symbolic links" in refuse("file:loop").message


def test_a_file_that_may_not_be_read_is_refused(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refused)  # the tests may run as root, who may read everything

    assert "cannot be read: Permission denied" in refuse("file:secret").message


def test_no_descriptor_is_left_open(tmp_path: Path, reveal: Reveal, refuse: Refuse) -> None:
    tmp_path.joinpath("secret").write_text("correct horse")
    before = open_descriptors()

    reveal("file:secret")
    refuse(f"file:{tmp_path}")
    refuse("file:/dev/zero")

    assert open_descriptors() == before
