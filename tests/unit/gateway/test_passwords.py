"""Passwords are refetched, kept as hashes, and compared in equal time."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from reconciler.errors import SecretError
from reconciler.gateway import passwords as module
from reconciler.gateway.passwords import KEPT, Passwords
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets.base import Secret

REFERENCE = SecretRef("env", "GRAFANA")
OLD, NEW = "old-password-1", "new-password-2"


class Vault:
    """What references lead to, and the time."""

    def __init__(self) -> None:
        self.text: str | None = OLD
        self.now = 0.0
        self.fetched = 0

    def fetch(self, reference: SecretRef) -> Secret:
        self.fetched += 1
        if self.text is None:
            raise SecretError(f"the secret {reference} is not set")
        return Secret(self.text)


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def passwords(vault: Vault) -> Passwords:
    return Passwords(vault.fetch, lambda: vault.now)


def test_a_password_that_is_replaced_counts_after_a_minute(
    vault: Vault, passwords: Passwords
) -> None:
    assert passwords.matches(REFERENCE, OLD.encode())
    vault.text = NEW
    assert passwords.matches(REFERENCE, OLD.encode())
    vault.now += KEPT
    assert not passwords.matches(REFERENCE, OLD.encode())
    assert passwords.matches(REFERENCE, NEW.encode())
    assert vault.fetched == 2


def test_a_failed_refetch_keeps_the_password_and_a_failed_first_fetch_is_an_error(
    vault: Vault, passwords: Passwords
) -> None:
    assert passwords.matches(REFERENCE, OLD.encode())
    vault.text, vault.now = None, KEPT
    assert passwords.matches(REFERENCE, OLD.encode())
    with pytest.raises(SecretError, match="env:OTHER"):
        passwords.matches(SecretRef("env", "OTHER"), OLD.encode())


def test_a_short_password_opens_nothing(vault: Vault, passwords: Passwords) -> None:
    vault.text = "short"
    with pytest.raises(SecretError, match="shorter than 12 characters"):
        passwords.matches(REFERENCE, b"short")


def test_an_unknown_user_never_matches_and_no_text_is_kept(
    vault: Vault, passwords: Passwords
) -> None:
    assert not passwords.matches(None, OLD.encode())
    assert vault.fetched == 0
    assert passwords.matches(REFERENCE, OLD.encode())
    assert OLD not in repr(vars(passwords))


def test_a_password_that_is_replaced_while_many_sign_in_opens_to_no_other(
    vault: Vault, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lets other threads run too, but takes no time.
    quick = partial(hashlib.scrypt, n=2, r=8, p=1)
    monkeypatch.setattr(module, "_digest", lambda password, salt: quick(password, salt=salt))

    def sign_in(number: int) -> tuple[bytes, bool]:
        if number % 5 == 0:  # replaced, and replaced back
            vault.text, vault.now = (NEW if vault.text == OLD else OLD), vault.now + KEPT
        tried = (OLD, NEW, "wrong-password-3")[number % 3].encode()
        return tried, passwords.matches(REFERENCE, tried)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(sign_in, range(600)))
    accepted = {tried for tried, matched in found if matched}
    assert b"wrong-password-3" not in accepted
    assert accepted  # whichever it was at the time
    for current, former in ((OLD, NEW), (NEW, OLD)):
        vault.text, vault.now = current, vault.now + KEPT
        assert passwords.matches(REFERENCE, current.encode())
        assert not passwords.matches(REFERENCE, former.encode())
