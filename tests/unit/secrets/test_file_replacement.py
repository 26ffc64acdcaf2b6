"""Replacing a secret in a file: what a pull request must not reach by it, and that it is all or nothing."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SecretError
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets import file_replacement
from reconciler.secrets.base import Secret, SecretKeeper
from reconciler.secrets.outcome import Flaw
from reconciler.secrets.registry import Resolver

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = Secret("0.old-refresh-token"), Secret("1.new-refresh-token")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir(mode=0o755)
    return folder


def token(path: Path, text: str = "0.old-refresh-token\n", mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True, mode=0o755)
    path.write_text(text)
    path.chmod(mode)
    return path


def replaced(target: str | Path, base: Path, new: Secret = NEW, **options: tuple[str, ...]) -> str:
    flaw = file_replacement.replace(str(target), OLD, new, base=base, **options)
    assert flaw is None or isinstance(flaw, Flaw)
    return "" if flaw is None else flaw.message


@pytest.mark.parametrize("newline", ["", "\n", "\r\n"])
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_the_new_secret_is_in_the_place_of_the_old_one(base: Path, newline: str, mode: int) -> None:
    path = token(base / "token", "0.old-refresh-token" + newline, mode)
    assert replaced("token", base) == ""
    assert path.read_text() == "1.new-refresh-token" + ("\n" if newline else "")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [item.name for item in base.iterdir()] == ["token"]


@pytest.mark.parametrize("outside", [True, False])
def test_nothing_is_written_through_a_link_of_the_project(
    base: Path, tmp_path: Path, outside: bool
) -> None:
    real = token((tmp_path if outside else base) / "real" / "token")
    (base / "link").symlink_to(real)
    (base / "folder").symlink_to(real.parent)
    (base / "deep").mkdir()
    (base / "deep" / "up").symlink_to(tmp_path)
    for target in (
        "link",
        "folder/token",
        base / "link",
        "./folder/../link",
        "folder/../real/token",
    ):
        if target == "folder/../real/token" and not outside:
            continue  # leads to the file itself, and is judged by where it leads
        assert replaced(target, base) != "", target
    assert real.read_text() == "0.old-refresh-token\n"


def test_a_link_of_the_system_above_the_project_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "var-run").symlink_to(tmp_path / "run")
    path = token(tmp_path / "run" / "token")
    base = tmp_path / "elsewhere"
    base.mkdir()
    assert replaced(tmp_path / "var-run" / "token", base) == ""
    assert path.read_text() == "1.new-refresh-token\n"


@pytest.mark.parametrize(
    "text",
    [
        "another-token\n",
        "0.old-refresh-token\n\n",
        "ssh-ed25519 AAAA me@here\n",
        "",
        "a: b\nc: d\n",
    ],
)
def test_only_the_secret_that_was_used_is_written_over(base: Path, text: str) -> None:
    path = token(base / "token", text)
    assert replaced("token", base) != ""
    assert path.read_text() == text


def test_text_that_is_not_a_token_is_neither_written_nor_overwritten(base: Path) -> None:
    for new in (
        "two words",
        "a\nline",
        "short",
        "tök-of-some-length",
        "x" * 20_000,
        "\x1b[2Jtoken",
    ):
        token(base / "token")
        assert replaced("token", base, Secret(new)) != ""
    path = token(base / "keys", "ssh-ed25519 AAAA me@here")
    flaw = file_replacement.replace("keys", Secret("ssh-ed25519 AAAA me@here"), NEW, base=base)
    assert flaw is not None
    assert "not a token" in flaw.message
    assert path.read_text() == "ssh-ed25519 AAAA me@here"


def test_a_file_that_others_can_write_to_or_have_a_link_to_stays(base: Path) -> None:
    token(base / "group", mode=0o660)
    token(base / "hard")
    (base / "second").hardlink_to(base / "hard")
    shared = token(base / "shared" / "token")
    shared.parent.chmod(0o777)
    for target in ("group", "hard", "shared/token"):
        assert "others" in replaced(target, base)
    (base / "pipe").unlink(missing_ok=True)
    os.mkfifo(base / "pipe")
    assert replaced("pipe", base) != ""


@pytest.mark.parametrize("folder", [".git", ".reconciler"])
def test_folders_that_hold_no_secrets_are_not_written_to(base: Path, folder: str) -> None:
    path = token(base / folder / "token")
    assert folder in replaced(f"{folder}/token", base)
    assert path.read_text() == "0.old-refresh-token\n"


def test_the_folders_of_the_owner_hold_for_writing_too(base: Path, tmp_path: Path) -> None:
    token(base / "token")
    allowed = token(tmp_path / "allowed" / "token")
    folders = (str(allowed.parent),)
    assert "only from" in replaced("token", base, folders=folders)
    assert replaced(allowed, base, folders=folders) == ""


def test_a_full_disk_leaves_the_old_secret(
    base: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = token(base / "token")
    monkeypatch.setattr(os, "fsync", full)
    assert f"cannot be written: the disk at {disk} is full" in replaced("token", base)
    assert path.read_text() == "0.old-refresh-token\n"
    assert [item.name for item in base.iterdir()] == ["token"]


def test_a_new_file_is_readable_only_by_its_owner_and_never_replaces_one(base: Path) -> None:
    assert file_replacement.replace("first", None, NEW, base=base) is None
    assert stat.S_IMODE((base / "first").stat().st_mode) == 0o600
    again = file_replacement.replace("first", None, NEW, base=base)
    assert again is not None
    assert "already" in again.message
    (base / "dangling").symlink_to(base / "nowhere")
    assert file_replacement.replace("dangling", None, NEW, base=base) is not None
    assert not (base / "nowhere").exists()


def test_one_process_at_a_time_has_a_file(base: Path) -> None:
    token(base / "token")
    first = file_replacement.hold("token", base=base)
    assert first is not None
    assert file_replacement.hold("token", base=base) is None
    assert replaced("token", base) == ""
    first.close()
    second = file_replacement.hold("token", base=base)
    assert second is not None
    second.close()
    missing = file_replacement.hold("missing", base=base)
    assert missing is not None
    missing.close()


def test_a_resolver_keeps_secrets_where_their_scheme_can_be_written(base: Path) -> None:
    token(base / "token")
    resolver = Resolver({"TOKEN": "0.old-refresh-token"}, allow_command=False, base=base)
    assert isinstance(resolver, SecretKeeper)
    reference = SecretRef("file", "token")
    assert resolver.resolve(reference) == OLD
    resolver.replace(reference, OLD, NEW)
    assert resolver.resolve(reference) == NEW
    token(base / "token", "2.of-another-process")
    assert resolver.resolve(reference) == NEW
    assert resolver.resolve_anew(reference) == Secret("2.of-another-process")
    for scheme in ("env", "command"):
        with pytest.raises(SecretError, match="only read") as refused:
            resolver.replace(SecretRef(scheme, "TOKEN"), OLD, NEW)
        assert "refresh" not in refused.value.message
