"""The key of the fingerprints."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateCorrupt, StateUnavailable, UsageError
from reconciler.secrets.base import Secret
from reconciler.state.key import FILE_NAME, fingerprint_key

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = {"RECONCILER_FINGERPRINT_KEY": "correct horse battery"}


def test_reading_makes_no_key(url: str, path: Path) -> None:
    assert fingerprint_key(url, {}, create=False) is None
    assert not path.parent.exists()


def test_the_first_need_makes_a_key_that_stays(url: str, path: Path) -> None:
    made = fingerprint_key(url, {}, create=True)
    assert made is not None
    for create in (True, False):
        again = fingerprint_key(url, {}, create=create)
        assert again is not None
        assert again.key_id == made.key_id
    file = path.with_name(FILE_NAME)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(item.name for item in path.parent.iterdir()) == [".gitignore", FILE_NAME]


def test_two_states_have_two_keys(tmp_path: Path) -> None:
    keys = [fingerprint_key(f"sqlite:///{tmp_path}/{name}/s.db", {}, create=True) for name in "ab"]
    assert len({key.key_id for key in keys if key}) == 2


def test_the_variable_wins_and_makes_no_file(url: str, path: Path) -> None:
    key = fingerprint_key(url, VARIABLE, create=True)
    shared = fingerprint_key("postgresql://db.example/x", VARIABLE, create=False)
    assert key is not None
    assert shared is not None
    assert key.key_id == shared.key_id
    assert not path.parent.exists()


def test_a_shared_state_without_the_variable_has_no_key() -> None:
    assert fingerprint_key("postgresql://db.example/x", {}, create=True) is None


@pytest.mark.parametrize("text", ["hunter2", " " * 40, "x" * 15])
def test_a_short_variable_is_refused_without_repeating_it(url: str, text: str) -> None:
    with pytest.raises(UsageError, match="16 characters") as caught:
        fingerprint_key(url, {"RECONCILER_FINGERPRINT_KEY": text}, create=False)
    assert text not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"00", b"\xff\x00", b"zz" * 32, b"00" * 31 + b"\n"])
def test_a_damaged_key_file_is_named(url: str, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.with_name(FILE_NAME).write_bytes(content)
    path.with_name(FILE_NAME).chmod(0o600)
    with pytest.raises(StateCorrupt, match=FILE_NAME) as caught:
        fingerprint_key(url, {}, create=True)
    assert "restore it" in caught.value.hint
    assert path.with_name(FILE_NAME).read_bytes() == content


def test_a_key_that_cannot_be_read_or_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StateUnavailable, match="cannot be read"):
        fingerprint_key(f"sqlite:///{tmp_path}/state.db", {}, create=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnavailable):
        fingerprint_key(f"sqlite:///{tmp_path}/file/state.db", {}, create=True)


def test_the_key_makes_fingerprints_that_differ_by_secret(url: str) -> None:
    from reconciler.model.secret_ref import SecretRef

    key = fingerprint_key(url, {}, create=True)
    assert key is not None
    reference = SecretRef("env", "A")
    marks = {key.fingerprint(reference, Secret(text)).mac for text in ("one", "two", "one")}
    assert len(marks) == 2
