"""``keyring:service/user``, with a keyring of the test's own behind the library."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from reconciler.errors import SecretError

Reveal = Callable[[str], str]
Refuse = Callable[[str], SecretError]
Get = Callable[[str, str], object]


@pytest.fixture
def keyring_that(monkeypatch: pytest.MonkeyPatch) -> Callable[[Get], None]:
    """Put a library with the given ``get_password`` where the real one would be."""

    def install(get_password: Get) -> None:
        library = ModuleType("keyring")
        library.get_password = get_password  # type: ignore[attr-defined]  # it is made here
        monkeypatch.setitem(sys.modules, "keyring", library)

    return install


@pytest.mark.parametrize(
    ("target", "service", "user"),
    [
        ("mail/support@contoso.example", "mail", "support@contoso.example"),
        (
            "https://mail.contoso.example/imap/support",
            "https://mail.contoso.example/imap",
            "support",
        ),
    ],
)
def test_the_last_slash_separates_service_and_user(
    keyring_that: Callable[[Get], None], reveal: Reveal, target: str, service: str, user: str
) -> None:
    keyring_that(_kept(service, user))

    assert reveal(f"keyring:{target}") == "correct horse"


def _kept(service: str, user: str) -> Get:
    def get_password(asked_service: str, asked_user: str) -> object:
        return "correct horse" if (asked_service, asked_user) == (service, user) else None

    return get_password


@pytest.mark.parametrize("target", ["mail", "mail/", "/support"])
def test_service_and_user_are_both_needed(refuse: Refuse, target: str) -> None:
    assert "names no" in refuse(f"keyring:{target}").message


def test_a_missing_entry_is_named(keyring_that: Callable[[Get], None], refuse: Refuse) -> None:
    keyring_that(_kept("mail", "support"))

    error = refuse("keyring:mail/info")

    assert error.message == "the secret keyring:mail/info is not in the keyring"
    assert error.hint == "Store it with: keyring set mail info"


def test_a_failure_of_the_keyring_is_reported_without_its_text(
    keyring_that: Callable[[Get], None], refuse: Refuse
) -> None:
    def locked(service: str, user: str) -> object:
        raise RuntimeError(f"{service} {user} correct horse")

    keyring_that(locked)

    error = refuse("keyring:mail/support")

    assert error.message.endswith("cannot be read: the keyring raised RuntimeError")
    assert "horse" not in error.message + error.hint
    assert error.__cause__ is None
    assert error.__context__ is None


def test_without_the_library_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, refuse: Refuse
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert "pip install '.[keyring]'" in refuse("keyring:mail/support").hint


def test_the_real_library_is_called_correctly(reveal: Reveal, refuse: Refuse) -> None:
    keyring = pytest.importorskip("keyring")
    kept = {("mail", "support"): "correct horse"}

    def get_password(_: object, service: str, username: str) -> str | None:
        return kept.get((service, username))

    methods = {"priority": 1, "get_password": get_password, "set_password": None}
    in_memory = type("InMemory", (keyring.backend.KeyringBackend,), methods)
    before = keyring.get_keyring()
    keyring.set_keyring(in_memory())
    try:
        assert reveal("keyring:mail/support") == "correct horse"
        assert "is not in the keyring" in refuse("keyring:mail/info").message
        keyring.set_keyring(keyring.backends.fail.Keyring())
        assert "raised NoKeyringError" in refuse("keyring:mail/payroll").message
    finally:
        keyring.set_keyring(before)
