"""The key of the fingerprints."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateConflict, StateCorrupt, StateUnavailable, UsageError
from reconciler.secrets.base import FingerprintKey, Secret
from reconciler.state.key import FILE_NAME, fingerprint_key, generated, prepared_key, written_key
from tests.builders import FINGERPRINT_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = {"RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY}
SIXTY_FOUR_DIGITS = "5f1c09a4e3b27d68" * 4


def made(state_url: str, environ: Mapping[str, str]) -> FingerprintKey | None:
    """The key that an apply keeps."""
    prepared = prepared_key(state_url, environ)
    prepared.keep()
    return prepared.key


def test_a_key_is_written_once_it_is_kept(url: str, path: Path) -> None:
    prepared = prepared_key(url, {})
    assert prepared.key is not None
    assert not path.parent.exists()
    prepared.keep()
    found = fingerprint_key(url, {})
    assert found is not None
    assert found.key_id == prepared.key.key_id


def test_a_key_that_another_process_wrote_meanwhile_is_noticed(url: str) -> None:
    prepared = prepared_key(url, {})
    made(url, {})
    with pytest.raises(StateConflict, match="another process"):
        prepared.keep()


def test_reading_makes_no_key(url: str, path: Path) -> None:
    assert fingerprint_key(url, {}) is None
    assert not path.parent.exists()


def test_the_first_need_makes_a_key_that_stays(url: str, path: Path) -> None:
    key = made(url, {})
    assert key is not None
    for find in (made, fingerprint_key):
        again = find(url, {})
        assert again is not None
        assert again.key_id == key.key_id
    file = path.with_name(FILE_NAME)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(item.name for item in path.parent.iterdir()) == [".gitignore", FILE_NAME]


def test_each_state_has_its_own_key(tmp_path: Path) -> None:
    keys = [made(f"sqlite:///{tmp_path}/{name}/s.db", {}) for name in "ab"]
    assert len({key.key_id for key in keys if key}) == 2


def test_the_variable_wins_and_makes_no_file(url: str, path: Path) -> None:
    key = made(url, VARIABLE)
    shared = fingerprint_key("postgresql://db.example/x", VARIABLE)
    assert key is not None
    assert shared is not None
    assert key.key_id == shared.key_id
    assert not path.parent.exists()


def test_a_shared_state_without_the_variable_has_no_key() -> None:
    assert made("postgresql://db.example/x", {}) is None


@pytest.mark.parametrize(
    "text",
    ["hunter2", "correct horse battery staple", "k" * 64, "deadbeef" * 8, "0" * 64, SIXTY_FOUR_DIGITS[:-1],
     "reconciler_key", "Reconciler_Key_" + SIXTY_FOUR_DIGITS, "schlüssel" * 8],
)  # fmt: skip
def test_a_chosen_word_is_refused_with_the_way_out_and_not_repeated(url: str, text: str) -> None:
    with pytest.raises(UsageError, match="is not a generated key") as caught:
        fingerprint_key(url, {"RECONCILER_FINGERPRINT_KEY": text})
    assert "`reconciler state key`" in caught.value.hint
    assert text not in str(caught.value) + caught.value.hint


def test_every_mistake_in_copying_a_key_is_found(url: str) -> None:
    digits = "0123456789abcdef"
    for at in range(len("reconciler_key_"), len(FINGERPRINT_KEY)):
        other = digits[digits.index(FINGERPRINT_KEY[at]) - 1]
        copied = FINGERPRINT_KEY[:at] + other + FINGERPRINT_KEY[at + 1 :]
        for text in (
            copied,
            FINGERPRINT_KEY[:at],
            FINGERPRINT_KEY[:at] + FINGERPRINT_KEY[at + 1 :],
        ):
            with pytest.raises(UsageError, match="checksum does not fit") as caught:
                fingerprint_key(url, {"RECONCILER_FINGERPRINT_KEY": text})
            assert text not in str(caught.value) + caught.value.hint


def test_generated_keys_are_all_different_and_accepted(url: str) -> None:
    made = {generated() for _ in range(100)}
    keys = [fingerprint_key(url, {"RECONCILER_FINGERPRINT_KEY": f"{text}\n"}) for text in made]
    assert len({key.key_id for key in keys if key is not None}) == 100


def test_a_variable_of_64_hexadecimal_digits_is_the_key_that_it_was(url: str) -> None:
    for text in (SIXTY_FOUR_DIGITS, SIXTY_FOUR_DIGITS.upper(), f"{SIXTY_FOUR_DIGITS}\n"):
        key = fingerprint_key(url, {"RECONCILER_FINGERPRINT_KEY": text})
        assert key is not None
        assert key.key_id == FingerprintKey(text.encode()).key_id


def test_a_key_file_of_an_older_release_is_the_key_that_it_was(url: str, path: Path) -> None:
    path.parent.mkdir()
    file = path.with_name(FILE_NAME)
    file.write_text(f"{SIXTY_FOUR_DIGITS}\n")
    file.chmod(0o600)
    before = FingerprintKey(bytes.fromhex(SIXTY_FOUR_DIGITS)).key_id
    found = made(url, {})
    assert found is not None
    assert found.key_id == before
    # And as the variable, in the form that `reconciler state key FILE` prints.
    moved = {"RECONCILER_FINGERPRINT_KEY": written_key(file)}
    key = fingerprint_key("postgresql://db.example/x", moved)
    assert key is not None
    assert key.key_id == before


@pytest.mark.parametrize("content", [b"", b"00", b"\xff\x00", b"zz" * 32, b"00" * 31 + b"\n"])
def test_a_damaged_key_file_is_named(url: str, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.with_name(FILE_NAME).write_bytes(content)
    path.with_name(FILE_NAME).chmod(0o600)
    with pytest.raises(StateCorrupt, match=FILE_NAME) as caught:
        made(url, {})
    assert "Restore it" in caught.value.hint
    assert path.with_name(FILE_NAME).read_bytes() == content


def test_a_key_that_cannot_be_read_or_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StateUnavailable, match="cannot be read"):
        made(f"sqlite:///{tmp_path}/state.db", {})
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnavailable):
        made(f"sqlite:///{tmp_path}/file/state.db", {})


def test_the_key_makes_fingerprints_that_differ_by_secret(url: str) -> None:
    from reconciler.model.secret_ref import SecretRef

    key = made(url, {})
    assert key is not None
    reference = SecretRef("env", "A")
    marks = {key.fingerprint(reference, Secret(text)).mac for text in ("one", "two", "one")}
    assert len(marks) == 2
