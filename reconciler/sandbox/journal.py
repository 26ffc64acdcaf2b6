"""The journal of a run of the sandbox, for messages and tests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stray:
    """A mail that was accepted for an address that no account has, so that nobody can read it."""

    sender: str
    recipient: str
    content: bytes = field(repr=False)


class SandboxLog:
    """Filled in by the servers' thread and read by others, which get copies."""

    def __init__(self) -> None:
        self._delivered = 0
        self._strays: list[Stray] = []
        self._faults: list[str] = []

    @property
    def delivered(self) -> int:
        """How many mails have arrived in mailboxes; one for two recipients counts twice."""
        return self._delivered

    @property
    def strays(self) -> tuple[Stray, ...]:
        """The mails for addresses that no account has, in the order of their arrival."""
        return tuple(self._strays)

    @property
    def faults(self) -> tuple[str, ...]:
        """Failures of the sandbox itself, which should never happen."""
        return tuple(self._faults)

    def count_delivery(self) -> None:
        """Note that a mail has arrived."""
        self._delivered += 1

    def keep_stray(self, stray: Stray) -> None:
        """Keep a mail that nobody can read."""
        self._strays.append(stray)

    def note_fault(self, where: str, error: BaseException | None = None) -> None:
        """Note a failure by its place and type; its text could contain what a client sent."""
        self._faults.append(where if error is None else f"{where}: {type(error).__name__}")
