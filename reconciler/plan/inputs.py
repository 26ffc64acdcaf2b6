"""The inputs of a plan: the desired state, and the options that decide what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from reconciler.model.credential_rule import CredentialRule
    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.provider import Provider
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.setting import Setting
    from reconciler.model.snapshot import Snapshot


class Desired(Struct, frozen=True):
    """The desired state, as the configuration describes it.

    ``renames`` are pairs of new and former connector names. ``fingerprints`` are those of resolved
    secrets; without one, a rotation goes undetected. ``values`` are keyed MACs of the same secrets,
    each alone. ``real_paths`` are where ``file:`` references lead, links followed: two spellings of one
    file are one secret. ``settings`` are those in force. ``compared`` names the connectors whose
    secrets are compared with the applied ones; None means all. ``providers`` are those that its
    connectors use, including built-in ones.
    """

    snapshot: Snapshot
    renames: tuple[tuple[str, str], ...] = ()
    fingerprints: tuple[tuple[SecretRef, Fingerprint], ...] = ()
    real_paths: tuple[tuple[SecretRef, str], ...] = ()
    values: tuple[tuple[SecretRef, Fingerprint], ...] = ()
    settings: tuple[Setting, ...] = ()
    compared: frozenset[str] | None = None
    providers: tuple[Provider, ...] = ()

    def compares(self, connector: str) -> bool:
        """Whether the secrets of a connector are compared."""
        return self.compared is None or connector in self.compared


@dataclass(frozen=True, slots=True)
class BaseCommit:
    """The commit that a plan is compared with instead of the stored state, and how it was named."""

    ref: str
    commit: str


class Limits(Struct, frozen=True):
    """How much one apply may change before somebody has to allow it.

    The percentages are of the stored connectors and count from ``min_connectors`` of them; the
    absolute numbers always count. ``credentials`` are the rules for credentials that need no
    approval; None approves all: in a sandbox, no credential leaves the machine.
    """

    max_delete_percent: int = 30
    max_update_percent: int = 30
    min_connectors: int = 10
    max_deletes: int = 100
    max_updates: int = 1000
    credentials: tuple[CredentialRule, ...] | None = ()


class Overrides(Struct, frozen=True):
    """The granted overrides: numbers of changes, a change of the policy, patterns of credentials."""

    deletes: int = 0
    updates: int = 0
    policy_change: bool = False
    credentials: frozenset[CredentialRule] = frozenset()

    @property
    def options(self) -> tuple[str, ...]:
        """The same as command-line options."""
        numbers = (("--allow-deletes", self.deletes), ("--allow-updates", self.updates))
        return (
            *(f"{option} {number}" for option, number in numbers if number),
            *(("--allow-policy-change",) if self.policy_change else ()),
            *(f"--allow-credential {quote(str(rule))}" for rule in sorted(self.credentials)),
        )


NO_OVERRIDES = Overrides()
"""Nothing is allowed."""
