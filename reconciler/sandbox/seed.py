"""The sandbox's folder, and the seed in it that all made-up secrets grow from.

The seed stays from one run to the next. So do the passwords, and the second plan in a sandbox shows
no secret as rotated. Keys are not derived from the seed; those that connectors need are kept beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.disk_fault import disk_fault
from reconciler.errors import SandboxError
from reconciler.secrets.base import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.secret_ref import SecretRef

SEED_OCTETS = 32


class Seed:
    """Makes up secrets: always the same one for the same purpose, and a different one for any other."""

    __slots__ = ("_folder", "_key")

    def __init__(self, key: bytes, folder: Path) -> None:
        self._key = key
        self._folder = folder

    def __repr__(self) -> str:
        return "Seed(…)"

    def password(self, reference: SecretRef) -> Secret:
        """Make up what a reference resolves to: printable, and recognisable as made up."""
        return self._derive("reference", str(reference))

    def certificate(self, reference: SecretRef) -> Secret:
        """Make up a certificate with its key, in PEM; raises SandboxError if it cannot be kept."""
        from reconciler.sandbox import keys  # noqa: PLC0415 - heavy, and an extra

        return Secret(self._kept(reference, "certificate.pem", keys.certificate))

    def service_account_key(self, reference: SecretRef) -> Secret:
        """Make up the key of a service account, in JSON; raises SandboxError if it cannot be kept."""
        from reconciler.sandbox import keys  # noqa: PLC0415 - heavy, and an extra

        return Secret(self._kept(reference, "service-account.json", keys.service_account_key))

    def _kept(self, reference: SecretRef, what: str, make: Callable[[], str]) -> str:
        """Read what was made before, or make it and keep it in a file with mode 0600."""
        name = hashlib.sha256(str(reference).encode()).hexdigest()[:16]
        path = self._folder / f"{name}-{what}"
        try:
            if not path.exists():
                _write_new(path, make())
            return path.read_text(encoding="ascii")
        except OSError as error:
            raise unusable(path, error) from None

    def _derive(self, purpose: str, name: str) -> Secret:
        digest = hmac.digest(self._key, f"{purpose}\0{name}".encode(), hashlib.sha256)
        return Secret("sandbox-" + urlsafe_b64encode(digest[:18]).decode("ascii"))


def prepare_folder(folder: Path) -> None:
    """Create the folder if it is missing, with mode 0700.

    Raises SandboxError if it cannot be made or is not a folder.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise unusable(folder, error) from None


def read_seed(folder: Path) -> Seed:
    """Read the seed in the folder, after writing a new one (0600) if there is none.

    Two sandboxes that start in a new folder at the same time end up with the same seed. Raises
    SandboxError if it cannot be read or written, or is damaged.
    """
    path = folder / "seed"
    try:
        if not path.exists():
            _write_new(path, secrets.token_hex(SEED_OCTETS) + "\n")
        text = path.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except OSError as error:
        raise unusable(path, error) from None
    except ValueError:
        key = b""
    if len(key) != SEED_OCTETS:
        raise SandboxError(
            f"{path} is damaged: it should hold {SEED_OCTETS} octets in hexadecimal",
            hint="Delete it. The sandbox then makes up new passwords, once.",
        )
    return Seed(key, folder)


def write_certificate(folder: Path, pem: bytes) -> Path:
    """Write the certificate of a run's own authority to a new file and return its absolute path.

    Each run has its own file, so that concurrent runs do not break each other.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix="ca-", suffix=".pem", dir=folder.absolute())
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unusable(folder, error) from None
    return Path(name)


def _write_new(path: Path, text: str) -> None:
    # mkstemp makes files for their owner alone (0600). A link appears with all its content or not at all, and fails where another sandbox was faster.
    descriptor, name = tempfile.mkstemp(prefix="new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def unusable(path: Path, error: OSError) -> SandboxError:
    """The error for a file or folder that the sandbox needs."""
    fault = disk_fault(error, path)
    return SandboxError(
        f"the sandbox cannot use {path}: {fault.reason}",
        hint=f"{fault.remedy} `--folder` names another folder for the sandbox.",
    )
