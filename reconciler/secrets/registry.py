"""How each scheme is fetched: the closed set of schemes, and the resolver for all of them."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.disk_fault import disk_fault
from reconciler.errors import SecretError
from reconciler.secrets import env, file, file_replacement, keyring, schemes
from reconciler.secrets.base import Secret
from reconciler.secrets.outcome import Flaw, Outcome, from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.base import Hold

_LOOK_AGAIN = 5.0
"""Seconds before a failed secret is fetched again, if secrets are refreshed."""


class _NothingHeld:
    """A dummy lock for a secret that cannot be locked."""

    def close(self) -> None:
        """Do nothing."""


_NOTHING_HELD = _NothingHeld()


@dataclass(slots=True)
class _Fetched:
    """The cached outcome of one reference; the thread that fetches it holds the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    outcome: Outcome | None = None
    good_until: float = 0.0


class Resolver:
    """Fetches each secret once and caches it, including failures.

    ``environ`` is where ``env:`` looks and what commands inherit; relative paths and commands start at
    ``base``; with ``folders``, files are read only from these. After ``keep`` seconds by ``clock`` a
    secret is fetched again; a single command always sees the same value. If that fails, such as during
    a rotation, the old value stays, and the next attempt follows soon. It may be used from several
    threads: a thread that asks for a secret that another one is fetching waits for it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        allow_command: bool,
        base: Path,
        keep: float = math.inf,
        folders: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environ = environ
        self._allow_command = allow_command
        self._base = base
        self._keep = keep
        self._folders = folders
        self._clock = clock
        self._fetched: dict[SecretRef, _Fetched] = {}

    def resolve(self, reference: SecretRef) -> Secret:
        """Fetch the secret; raises SecretError, which names the reference, if it cannot be fetched."""
        fetched = self._fetched.setdefault(reference, _Fetched())
        with fetched.lock:
            outcome = fetched.outcome
            if outcome is None or self._clock() >= fetched.good_until:
                outcome = self._refresh(reference, fetched)
        if isinstance(outcome, Flaw):
            raise _error(reference, outcome)
        return outcome

    def absence(self, reference: SecretRef) -> SecretError | None:
        """Return the error that fetching the secret would raise, without fetching it.

        That is known only for variables that are unset or empty; None otherwise.
        """
        if reference.scheme != "env":
            return None
        flaw = env.absence(reference.target, environ=self._environ)
        return None if flaw is None else _error(reference, flaw)

    def resolve_anew(self, reference: SecretRef) -> Secret:
        """Fetch the secret, bypassing the cache, if its scheme is writable; no program runs again."""
        if schemes.is_writable(reference.scheme):
            self._fetched.pop(reference, None)
        return self.resolve(reference)

    def hold(self, reference: SecretRef) -> Hold | None:
        """Keep other processes from replacing the secret; None if one of them is about to.

        Only files can be locked; keyrings and the schemes of packages handle that themselves. Raises
        SecretError for a file that cannot be locked.
        """
        if reference.scheme != "file":
            return _NOTHING_HELD
        try:
            return file_replacement.hold(reference.target, base=self._base)
        except OSError as error:
            fault = disk_fault(error, file.real_path(reference.target, base=self._base))
            flaw = Flaw(f"cannot be locked: {fault.reason}", fault.remedy)
            raise _error(reference, flaw) from None

    def replace(self, reference: SecretRef, old: Secret | None, new: Secret) -> None:
        """Replace ``old`` by a secret atomically; None means that there is none yet.

        Raises SecretError, which says why not.
        """
        flaw = self._replace(reference, old, new)
        if flaw is not None:
            raise _error(reference, flaw)
        self._fetched[reference] = _Fetched(outcome=new, good_until=self._clock() + self._keep)

    def _replace(self, reference: SecretRef, old: Secret | None, new: Secret) -> Flaw | None:
        match reference.scheme:
            case "file":
                return file_replacement.replace(
                    reference.target, old, new, base=self._base, folders=self._folders
                )
            case "keyring":
                return keyring.replace(reference.target, old, new)
            case scheme if schemes.is_writable(scheme):
                return _replace_by_entry_point(scheme, reference.target, old, new)
            case scheme:
                return Flaw(
                    f"cannot be written: {scheme}: references are only read",
                    "Keep a secret that is replaced by use in a file: or keyring: reference.",
                )

    def _refresh(self, reference: SecretRef, fetched: _Fetched) -> Outcome:
        found, keep = self._fetch(reference), self._keep
        if isinstance(found, Flaw) and not math.isinf(keep):
            keep = min(keep, _LOOK_AGAIN)
            if isinstance(fetched.outcome, Secret):
                found = fetched.outcome
        fetched.outcome, fetched.good_until = found, self._clock() + keep
        return found

    def _fetch(self, reference: SecretRef) -> Outcome:
        match reference.scheme:
            case "env":
                return env.fetch(reference.target, environ=self._environ)
            case "file":
                return file.fetch(reference.target, base=self._base, folders=self._folders)
            case "keyring":
                return keyring.fetch(reference.target)
            case "command" if self._allow_command:
                from reconciler.secrets import command  # noqa: PLC0415 - brings subprocess along

                return command.fetch(reference.target, environ=self._environ, base=self._base)
            case "command":
                return Flaw(
                    "may not be fetched: `command:` references are disabled",
                    "Set secrets.allow_command: true in reconciler.yaml, and have the owner of the run"
                    " set RECONCILER_ALLOW_COMMAND=1.",
                )
            case scheme:
                return _fetch_by_entry_point(scheme, reference.target)


def _error(reference: SecretRef, flaw: Flaw) -> SecretError:
    return SecretError(f"the secret {reference} {flaw.message}", hint=flaw.hint)


def _fetch_by_entry_point(scheme: str, target: str) -> Outcome:
    points = tuple(schemes.entry_points_of_schemes().select(name=scheme))
    if not points:
        return Flaw(
            f"has an unknown scheme: {scheme}",
            f"Known schemes: {', '.join(schemes.known_schemes())}.",
        )
    if len(points) > 1:
        return Flaw(f"has a scheme that {len(points)} packages claim", "Uninstall all but one.")
    try:
        text = points[0].load()(target)
    except SecretError as error:
        return Flaw(f"cannot be fetched: {error.message}", error.hint)
    except Exception as error:  # noqa: BLE001 - a package's own failure, whose text may hold anything
        return Flaw(f"cannot be fetched: {points[0].value} raised {type(error).__name__}")
    if not isinstance(text, str):
        return Flaw(f"cannot be fetched: {points[0].value} returned no text")
    return from_text(text)


def _replace_by_entry_point(
    scheme: str, target: str, old: Secret | None, new: Secret
) -> Flaw | None:
    (point,) = schemes.writers_of(scheme)
    try:
        point.load()(target, None if old is None else old.reveal(), new.reveal())
    except SecretError as error:
        return Flaw(f"cannot be written: {error.message}", error.hint)
    except Exception as error:  # noqa: BLE001 - a package's own failure, whose text may hold anything
        return Flaw(f"cannot be written: {point.value} raised {type(error).__name__}")
    return None
