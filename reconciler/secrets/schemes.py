"""The schemes of references: the built-in ones, and those that other packages add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

BUILT_IN_SCHEMES: Final = ("env", "file", "keyring", "command")
"""The schemes that need no further package. No entry point can take their place."""

ENTRY_POINT_GROUP: Final = "reconciler.secrets"
"""Packages add a scheme with an entry point of this group.

Its name is the scheme; what it loads is called with the target and returns the secret as text. On
failure, it raises SecretError, without the value.
"""


WRITABLE_SCHEMES: Final = ("file", "keyring")
"""The built-in schemes whose secrets can be replaced."""

WRITER_GROUP: Final = "reconciler.secret_writers"
"""Packages make the secrets of their scheme replaceable with an entry point of this group.

What it loads is called with the target, the old and the new secret as text, and replaces one by the
other atomically. On failure, it raises SecretError, without a value.
"""


def is_writable(scheme: str) -> bool:
    """Whether secrets of this scheme can be replaced at all."""
    if scheme in BUILT_IN_SCHEMES:
        return scheme in WRITABLE_SCHEMES
    return len(writers_of(scheme)) == 1


def writers_of(scheme: str) -> tuple[EntryPoint, ...]:
    """The entry points that replace secrets of a scheme; there should be one."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - reads the metadata of all packages

    return tuple(entry_points(group=WRITER_GROUP, name=scheme))


def known_schemes() -> tuple[str, ...]:
    """Every scheme that a reference may have here: the built-in ones, then those of packages."""
    added = sorted(entry_points_of_schemes().names.difference(BUILT_IN_SCHEMES))
    return (*BUILT_IN_SCHEMES, *added)


def entry_points_of_schemes() -> EntryPoints:
    """The entry points under which packages add schemes."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - reads the metadata of all packages

    return entry_points(group=ENTRY_POINT_GROUP)
