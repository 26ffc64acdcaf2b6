"""The key of the secrets' fingerprints: from the environment, or from a file beside the state.

A key is generated, never chosen: with a fingerprint, a chosen word could be guessed. It is written
as ``reconciler_key_``, 64 hexadecimal digits, and 8 more that are the beginning of the SHA-256 of
what precedes them, so that a mistake in copying is found and a scanner recognises a key that
leaked.
"""

from __future__ import annotations

import errno
import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import StateConflict, StateCorrupt, UsageError
from reconciler.secrets.base import FingerprintKey
from reconciler.state import folder
from reconciler.state.location import PostgresqlLocation, locate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "RECONCILER_FINGERPRINT_KEY"
FILE_NAME = "fingerprint.key"
NO_KEY = (
    f"no fingerprint key is set, so rotated secrets go unnoticed; make one with `reconciler state key`,"
    f" and set {VARIABLE} to it wherever this state is applied"
)
"""The warning when secrets are about to be applied without a key."""

_BYTES = 32
_PREFIX = "reconciler_key_"
_CHECKSUM = 8
_GENERATED = re.compile(rf"{_PREFIX}([0-9a-f]{{{2 * _BYTES}}})([0-9a-f]{{{_CHECKSUM}}})")
_HEXADECIMAL = re.compile(rf"[0-9a-fA-F]{{{2 * _BYTES}}}")
_FEWEST_DIGITS = 8
"""Distinct digits among 64.

A random key has fewer less than once in 10¹⁵; a typed one often does.
"""
_MAKE = f"Make one with `reconciler state key`, and set {VARIABLE} to it wherever this state is applied."


def generated() -> str:
    """Generate a new key, in its written form."""
    return _written(secrets.token_bytes(_BYTES))


def written_key(path: Path) -> str:
    """Return the key in a file, including one of an older release, in the variable's format.

    Raises StateCorrupt for a file that holds no key, and StateUnavailable for one that cannot be
    read.
    """
    octets = _octets(path)
    if octets is None:
        raise folder.unavailable(path, "read", FileNotFoundError(errno.ENOENT, "No such file"))
    return _written(octets)


def _written(octets: bytes) -> str:
    text = _PREFIX + octets.hex()
    return text + _checksum(text)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_CHECKSUM]


class PreparedKey(Struct, frozen=True):
    """The key for an apply: None as for :func:`fingerprint_key`, else the existing or a new one."""

    key: FingerprintKey | None
    _path: Path | None = None
    _text: str = ""

    def keep(self) -> None:
        """Write a new key to its file, once something is applied; raises StateError on failure."""
        if self._path is None or self.key is None:
            return
        _create(self._path, self._text)
        found = _read(self._path)
        if found is None or found.key_id != self.key.key_id:
            raise StateConflict(
                f"another process wrote {self._path} in the meantime", hint="run the command again"
            )


def prepared_key(state_url: str, environ: Mapping[str, str]) -> PreparedKey:
    """Find the key, or make one for a SQLite state that has none; nothing is written yet.

    Raises as :func:`fingerprint_key`.
    """
    found = fingerprint_key(state_url, environ)
    location = locate(state_url)
    if found is not None or isinstance(location, PostgresqlLocation):
        return PreparedKey(found)
    text = generated()
    octets = _parsed(text)
    if octets is None:
        raise AssertionError("a generated key can be read")
    return PreparedKey(FingerprintKey(octets), location.real_path.with_name(FILE_NAME), text)


def fingerprint_key(state_url: str, environ: Mapping[str, str]) -> FingerprintKey | None:
    """Find the key.

    The variable wins over the file. None means that secrets cannot be fingerprinted: nothing was
    applied yet, or the state is shared in PostgreSQL and no variable is set. A file would not help
    there: each machine would fingerprint under its own key. Plans and applies work without a key;
    see NO_KEY.

    Raises UsageError for a variable that holds no generated key, StateCorrupt for a file that holds
    none and StateUnavailable for one that cannot be read.
    """
    text = environ.get(VARIABLE, "")
    if text.strip():
        return _of_variable(text)
    location = locate(state_url)
    if isinstance(location, PostgresqlLocation):
        return None
    folder.refuse_shared(location.path.parent)
    folder.refuse_exposed(location.path.with_name(FILE_NAME), folder.OWNER_ALONE)
    return _read(location.real_path.with_name(FILE_NAME))


def _of_variable(value: str) -> FingerprintKey:
    text = value.strip()
    octets = _parsed(text)
    if octets is not None:
        return FingerprintKey(octets)
    if text.startswith(_PREFIX):
        raise UsageError(
            f"{VARIABLE} is damaged: its checksum does not fit",
            hint=f"Copy the whole key again, {len(_PREFIX) + 2 * _BYTES + _CHECKSUM} characters.",
        )
    if not _HEXADECIMAL.fullmatch(text) or len(set(text.lower())) < _FEWEST_DIGITS:
        raise UsageError(
            f"{VARIABLE} is not a generated key, and a chosen one can be guessed",
            hint=f"{_MAKE} Rotated secrets are noticed again after the next apply;"
            " saved plans have to be made again.",
        )
    # Older releases took any 64 digits; fingerprints made under such a key stay comparable.
    return FingerprintKey(value.encode("ascii"))


def _parsed(text: str) -> bytes | None:
    found = _GENERATED.fullmatch(text)
    if found is None or _checksum(_PREFIX + found[1]) != found[2]:
        return None
    return bytes.fromhex(found[1])


def _create(path: Path, text: str) -> None:
    folder.prepare(path.parent)
    with folder.draft(path) as draft:
        try:
            draft.write_text(f"{text}\n", encoding="ascii")
        except OSError as error:
            raise folder.unavailable(path, "created", error) from None
        folder.publish(draft, path)


def _read(path: Path) -> FingerprintKey | None:
    octets = _octets(path)
    return None if octets is None else FingerprintKey(octets)


def _octets(path: Path) -> bytes | None:
    """Read a key file, including the 64 hexadecimal digits that older releases wrote."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise folder.unavailable(path, "read", error) from None
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    octets = _parsed(text)
    if octets is not None:
        return octets
    if not _HEXADECIMAL.fullmatch(text):
        raise StateCorrupt(
            f"{path} holds no fingerprint key",
            hint="Restore it from a backup, or delete it: the next apply then makes a new one, and cannot"
            " tell which secrets were rotated before.",
        )
    return bytes.fromhex(text)
