"""Passwords that were refused: each is tried once in a run, because accounts get locked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from reconciler.probe.half import Half

_Key: TypeAlias = tuple[str, str, SecretRef]


class Refusals:
    """Who has refused which password. Two halves with one password must be tested one after the other.

    A password that one half of a connector was refused with is not tried by the other half, whose host
    mostly has another name and asks the same directory; nor is it by another connector at the same host.
    """

    def __init__(self) -> None:
        self._hosts: dict[_Key, str] = {}

    def host(self, half: Half) -> str | None:
        """The host that has refused what this half would sign in with; None if nobody has."""
        found = (self._hosts.get(key) for key in _keys(half))
        return next((host for host in found if host is not None), None)

    def note(self, half: Half) -> None:
        """Note that what this half signs in with was refused."""
        for key in _keys(half):
            self._hosts.setdefault(key, half.host)


def _keys(half: Half) -> tuple[_Key, ...]:
    password = half.settings.password
    if password is None:
        return ()
    user = half.username.casefold()
    return (str(half.connector.address), user, password), (half.host_key, user, password)
