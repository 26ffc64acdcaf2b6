"""Each system error has its own reason and a remedy."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from reconciler import disk_fault as faults
from reconciler.disk_fault import disk_fault, look_for_fault, look_for_lock_fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODES = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOLCK, errno.ENOTSUP, errno.EIO,
    errno.ENAMETOOLONG, errno.EFBIG, errno.ESTALE, errno.EMFILE, errno.ENOTDIR, errno.EISDIR,
)  # fmt: skip


def of(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def failing(code: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise of(code)

    return fail


def test_no_two_have_the_same_explanation(tmp_path: Path) -> None:
    told = {disk_fault(of(code), tmp_path / "file").reason for code in CODES}
    assert len(told) == len(CODES)
    for code in CODES:
        fault = disk_fault(of(code), tmp_path / "missing" / "file")
        assert fault.remedy.endswith(".")
        assert "{" not in fault.reason + fault.remedy


def test_the_disk_is_named_by_its_mount_point(tmp_path: Path) -> None:
    assert disk_fault(of(errno.ENOSPC), tmp_path / "file").reason.startswith("the disk at /")
    assert disk_fault(of(errno.EIO), "/proc/self/missing/file").reason.startswith(
        "the disk at /proc "
    )
    assert disk_fault(of(errno.ENOSPC)).reason == "the disk is full"
    assert disk_fault(of(errno.ENOSPC), "a\0b").reason == "the disk is full"
    assert disk_fault(of(errno.ENOSPC), "/dev/full").reason == "the device is full"


def test_a_disk_without_free_inodes_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.statvfs_result((4096, 4096, 100, 50, 50, 1000, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert "no free inodes" in disk_fault(of(errno.ENOSPC), tmp_path / "file").reason


def test_any_other_error_is_reported_in_the_words_of_the_system() -> None:
    assert disk_fault(of(errno.ELOOP)).reason == os.strerror(errno.ELOOP)
    assert disk_fault(OSError("odd")).reason == "odd"
    assert disk_fault(OSError()).reason == "OSError"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE])
def test_the_error_of_a_neighbouring_file_is_found(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look_for_fault(tmp_path / "state.db") is None
    monkeypatch.setattr(os, "fsync", failing(code))
    found = look_for_fault(tmp_path / "state.db")
    assert found is not None
    assert found.errno == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", faults.NO_LOCKS)
def test_a_file_system_without_locks_is_found(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    assert look_for_lock_fault(tmp_path) is None
    monkeypatch.setattr(fcntl, "lockf", failing(code))
    for found in (look_for_lock_fault(tmp_path), look_for_fault(tmp_path / "state.db")):
        assert found is not None
        assert found.errno == code


def test_a_file_that_may_not_be_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state.db").write_bytes(b"x")
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = look_for_fault(tmp_path / "state.db")
    assert found is not None
    assert found.errno == errno.EACCES


def test_a_secret_that_cannot_be_locked_is_not_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    from reconciler.errors import SecretError
    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.registry import Resolver

    (tmp_path / "token").write_text("0.refresh-token\n")
    resolver = Resolver({}, allow_command=False, base=tmp_path)
    held = resolver.hold(SecretRef.parse("file:token"))
    assert held is not None
    held.close()
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    with pytest.raises(SecretError, match=r"file:token cannot be locked: the disk at .* no locks"):
        resolver.hold(SecretRef.parse("file:token"))


def test_a_sandbox_says_that_its_folder_grants_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    from reconciler.errors import SandboxError
    from reconciler.sandbox.own_state import own_state

    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    with pytest.raises(SandboxError, match="grants no locks"), own_state(tmp_path):
        pass


def test_a_client_certificate_that_needs_a_full_disk_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tempfile

    from reconciler.errors import UsageError
    from reconciler.mail.tls import client_context

    monkeypatch.setattr(tempfile, "TemporaryDirectory", failing(errno.ENOSPC))
    with pytest.raises(UsageError, match=r"it needs a temporary file, and the disk at .* is full"):
        client_context((), "certificate", "key")
