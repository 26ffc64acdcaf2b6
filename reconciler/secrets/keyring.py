"""``keyring:service/user``: a secret from the keyring of the desktop or the operating system."""

from __future__ import annotations

import importlib
import threading

from reconciler.secrets.base import Secret
from reconciler.secrets.outcome import Flaw, Outcome, from_text
from reconciler.wording import install_extra

# The keyring library promises no thread safety, and some of its backends ask the user to unlock.
_one_at_a_time = threading.Lock()


def _named(target: str) -> tuple[str, str] | Flaw:
    """Service and user. The last slash separates them: a service may be an address."""
    service, _, user = target.rpartition("/")
    if not service or not user:
        return Flaw("names no user", "Write keyring:service/user.")
    return service, user


def fetch(target: str) -> Outcome:
    """Ask the keyring."""
    named = _named(target)
    if isinstance(named, Flaw):
        return named
    service, user = named
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return Flaw(
            "needs the keyring library, which is not installed",
            install_extra("keyring"),
        )
    with _one_at_a_time:
        try:
            text = keyring.get_password(service, user)
        except Exception as error:  # noqa: BLE001 - backends are plug-ins, which raise what they like
            return Flaw(
                f"cannot be read: the keyring raised {type(error).__name__}",
                "Unlock the keyring, or use another scheme on machines without one, such as CI runners.",
            )
    if text is None:
        return Flaw("is not in the keyring", f"Store it with: keyring set {service} {user}")
    return from_text(str(text))


def replace(target: str, old: Secret | None, new: Secret) -> Flaw | None:
    """Store a secret, replacing another one if given; return why not, or None."""
    found = fetch(target)
    if isinstance(found, Secret):
        if old is None or found != old:
            return Flaw("holds another secret by now", "Fetch it again.")
    elif old is not None:
        return found
    named = _named(target)
    if isinstance(named, Flaw):
        return named
    try:
        keyring = importlib.import_module("keyring")
        with _one_at_a_time:
            keyring.set_password(*named, new.reveal())
    except Exception as error:  # noqa: BLE001 - backends are plug-ins, which raise what they like
        return Flaw(f"cannot be written: the keyring raised {type(error).__name__}", "Unlock it.")
    return None
