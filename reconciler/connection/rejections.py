"""The passwords that servers have rejected in this run, so that none of them is sent a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from reconciler.connection.account import Account

_Key: TypeAlias = tuple[str, str, SecretRef]


class Rejections:
    """Remembers which host has rejected which password.

    A password that was rejected over one protocol is not tried over the other: the second host
    usually has another name but uses the same directory. Nor is it tried for another connector
    at the same host. Accounts with the same password must therefore be tested one after the
    other.
    """

    def __init__(self) -> None:
        self._hosts: dict[_Key, str] = {}

    def host(self, account: Account) -> str | None:
        """Return the host that has rejected the password of this account, None if none has."""
        found = (self._hosts.get(key) for key in _keys(account))
        return next((host for host in found if host is not None), None)

    def note(self, account: Account) -> None:
        """Remember that the password of this account was rejected."""
        for key in _keys(account):
            self._hosts.setdefault(key, account.host)


def _keys(account: Account) -> tuple[_Key, ...]:
    password = account.settings.password
    if password is None:
        return ()
    user = account.username.casefold()
    return (str(account.connector.address), user, password), (account.host_key, user, password)
