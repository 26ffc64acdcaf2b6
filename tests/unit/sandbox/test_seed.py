from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SandboxError
from reconciler.model.secret_ref import SecretRef
from reconciler.sandbox.seed import Seed, prepare_folder, read_seed, write_certificate

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = SecretRef("env", "SUPPORT")


def test_the_folder_and_the_seed_are_only_for_their_owner(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "sandbox"
    prepare_folder(folder)
    read_seed(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "seed").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["seed"]


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    prepare_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_seed_that_is_read_again_makes_up_the_same_passwords(tmp_path: Path) -> None:
    first, second = read_seed(tmp_path), read_seed(tmp_path)
    assert first.password(REFERENCE) == second.password(REFERENCE)


def test_every_folder_makes_up_passwords_of_its_own(tmp_path: Path) -> None:
    folders = (tmp_path / "a", tmp_path / "b")
    for folder in folders:
        folder.mkdir()
    first, second = (read_seed(folder).password(REFERENCE) for folder in folders)
    assert first != second


def test_a_made_up_password_is_printable_and_another_for_each_reference(seed: Seed) -> None:
    password = seed.password(REFERENCE).reveal()
    assert password.isascii()
    assert password.isprintable()
    assert " " not in password
    assert password.startswith("sandbox-")
    assert password != seed.password(SecretRef("env", "OTHER")).reveal()


def test_a_damaged_seed_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "seed").write_text("cafe\n")
    with pytest.raises(SandboxError, match="is damaged") as raised:
        read_seed(tmp_path)
    assert str(tmp_path / "seed") in raised.value.message
    assert "Delete it" in raised.value.hint


def test_a_folder_that_is_a_file_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match=r"cannot use .*file"):
        prepare_folder(tmp_path / "file")


def test_a_seed_that_is_a_folder_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "seed").mkdir()
    with pytest.raises(SandboxError, match=r"cannot use .*seed"):
        read_seed(tmp_path)


def test_every_run_writes_a_certificate_file_of_its_own(tmp_path: Path) -> None:
    first, second = (write_certificate(tmp_path, b"PEM") for _ in range(2))
    assert first != second
    assert first.read_bytes() == b"PEM"
    assert first.is_absolute()


def test_a_seed_does_not_show_itself(seed: Seed) -> None:
    assert repr(seed) == "Seed(…)"
