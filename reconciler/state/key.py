"""The key of the secrets' fingerprints: from the environment, or from a file beside the state."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from reconciler.errors import StateCorrupt, UsageError
from reconciler.secrets.base import FingerprintKey
from reconciler.state import folder
from reconciler.state.location import PostgresqlLocation, locate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "RECONCILER_FINGERPRINT_KEY"
FILE_NAME = "fingerprint.key"
NO_KEY = (
    f"no fingerprint key is set, so rotated secrets go unnoticed; set {VARIABLE} to one and the same "
    "text of at least 16 characters wherever this state is applied"
)
"""What to tell the user when there is no key although secrets are about to be applied."""

_LEAST_CHARACTERS = 16
_BYTES = 32


def fingerprint_key(
    state_url: str, environ: Mapping[str, str], *, create: bool
) -> FingerprintKey | None:
    """Find the key, and with ``create`` make the key file of a SQLite state that has none.

    The variable wins over the file. None means that secrets cannot be fingerprinted: nothing was
    applied yet, or the state is shared in PostgreSQL and no variable is set. A file on this machine
    would not do there: every machine would fingerprint under a key of its own. Plans and applies work
    without; see NO_KEY.

    Raises UsageError for a variable that is too short, StateCorrupt for a file that holds no key and
    StateUnavailable for one that cannot be read or created.
    """
    text = environ.get(VARIABLE, "")
    if text:
        if len(text.strip()) < _LEAST_CHARACTERS:
            raise UsageError(
                f"{VARIABLE} is shorter than {_LEAST_CHARACTERS} characters",
                hint="make one with: openssl rand -hex 32",
            )
        return FingerprintKey(text.encode("utf-8", "surrogateescape"))
    location = locate(state_url)
    if isinstance(location, PostgresqlLocation):
        return None
    folder.refuse_shared(location.path.parent)
    folder.refuse_exposed(location.path.with_name(FILE_NAME), folder.OWNER_ALONE)
    path = location.real_path.with_name(FILE_NAME)
    found = _read(path)
    if found is None and create:
        _create(path)
        found = _read(path)
    return found


def _create(path: Path) -> None:
    folder.prepare(path.parent)
    with folder.draft(path) as draft:
        try:
            draft.write_text(f"{secrets.token_hex(_BYTES)}\n", encoding="ascii")
        except OSError as error:
            raise folder.unavailable(path, "created", error) from None
        # If another process published its key first, that one is the key.
        folder.publish(draft, path)


def _read(path: Path) -> FingerprintKey | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise folder.unavailable(path, "read", error) from None
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise StateCorrupt(
            f"{path} holds no fingerprint key",
            hint="restore it from a backup, or delete it; a new one is made by the next apply, which "
            "then cannot tell which secrets were rotated before",
        )
    return FingerprintKey(key)
