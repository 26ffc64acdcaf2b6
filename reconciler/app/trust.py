"""What the owner of a run allows: the rules, the environment, and whether a CI system runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.ci_systems import running_in
from reconciler.config.effective import FILE
from reconciler.config.owner_rules import NO_RULES, OwnerRules, load_owner_rules
from reconciler.errors import PlanRefused, StateError, UsageError
from reconciler.model.credential_rule import CredentialRule
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.snapshot import StoredState

VARIABLES = (
    "RECONCILER_STATE",
    "RECONCILER_STATE_PASSWORD",
    "RECONCILER_CONFIG",
    "RECONCILER_ENV",
    "RECONCILER_POLICY",
    "RECONCILER_LINEAGE",
    "RECONCILER_ACTOR",
    "RECONCILER_FINGERPRINT_KEY",
    "RECONCILER_CONNECT_TO",
    "RECONCILER_CA_FILE",
    "RECONCILER_ALLOW_COMMAND",
    "RECONCILER_ALLOW_CREDENTIAL",
)
"""The variables that a run reads.

CI systems set variables that a fork may not see to the empty string.
"""


class Trust(Struct, frozen=True, kw_only=True):
    """What may widen the settings in this run.

    ``restricted`` is true in CI and under rules: there ``reconciler.yaml`` only tightens. ``sandboxed`` is
    true where no connection leaves the machine, so that no credential can go anywhere.
    """

    rules: OwnerRules = NO_RULES
    restricted: bool = False
    ci: str = ""
    sandboxed: bool = False
    allow_command: bool = False
    state_password: SecretRef | None = None
    lineage: str = ""
    credentials: tuple[CredentialRule, ...] = ()

    @property
    def credential_rules(self) -> tuple[CredentialRule, ...]:
        """Destinations that the rules and the environment approve."""
        return (*self.rules.credential_rules, *self.credentials)

    def refuse_state_of_file(self, source: str) -> None:
        """Raise UsageError if a file of the repository names the state where it may not."""
        if self.restricted and source == FILE:
            where = self.ci or "a run under the owner's rules"
            raise UsageError(
                f"reconciler.yaml names the state, but in {where} only the owner may",
                hint="Set RECONCILER_STATE, or `state` in the owner's rules.",
            )

    def check_state(
        self, current: StoredState, *, first_apply: bool, beside: tuple[str, ...]
    ) -> None:
        """Raise StateError if this is not the expected state.

        In CI, an empty state was most likely not found, so this raises PlanRefused unless
        ``first_apply`` or the sandbox explains it. ``beside`` describes what is next to an
        empty state.
        """
        lying = "".join(f"\n  {text[:1].upper()}{text[1:]}." for text in beside)
        pinned = self.lineage or self.rules.lineage
        if pinned and (not current.serial or current.lineage != pinned):
            found = f"this one has {current.lineage}" if current.serial else "this one is empty"
            raise StateError(
                f"the state must have the lineage {pinned}, but {found}",
                hint="Check RECONCILER_STATE; the lineage is pinned by RECONCILER_LINEAGE or the rules."
                + lying,
            )
        if self.ci and not current.serial and not first_apply and not self.sandboxed:
            raise PlanRefused(
                f"the state is empty, and {self.ci} runs this command: it may be the wrong state",
                hint="Check RECONCILER_STATE. If this is the first apply, pass --first-apply."
                + lying,
            )


def find_trust(
    environ: Mapping[str, str], home: Path, connect_to: Iterable[str], policy: str | None = None
) -> Trust:
    """Find out what the owner allows; ``policy`` is the file of rules, overriding the variable.

    Raises UsageError for an invalid variable or invalid rules.
    """
    for name in VARIABLES:
        if name in environ and not environ[name].strip():
            raise UsageError(
                f"{name} is set but empty",
                hint="Unset it, or give it a value. CI systems pass a variable that a run may not see as empty.",
            )
    if policy is not None and not policy.strip():
        raise UsageError("--policy is empty: expected a file with the owner's rules")
    policy = policy if policy is not None else environ.get("RECONCILER_POLICY")
    rules = load_owner_rules(Path(policy), home) if policy else NO_RULES
    ci = running_in(environ)
    return Trust(
        rules=rules,
        restricted=bool(ci or policy),
        ci=ci,
        sandboxed="*" in tuple(connect_to),
        allow_command=_flag(environ, "RECONCILER_ALLOW_COMMAND"),
        state_password=_reference(environ, "RECONCILER_STATE_PASSWORD"),
        lineage=environ.get("RECONCILER_LINEAGE", "").strip(),
        credentials=credential_patterns(environ.get("RECONCILER_ALLOW_CREDENTIAL", "").split()),
    )


def credential_patterns(texts: Iterable[str]) -> tuple[CredentialRule, ...]:
    """Read the patterns of ``--allow-credential``; raises UsageError."""
    try:
        return tuple(CredentialRule.parse(text) for text in texts)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "0")
    if text not in ("0", "1"):
        raise UsageError(f"invalid {name}: expected 1 or 0")
    return text == "1"


def _reference(environ: Mapping[str, str], name: str) -> SecretRef | None:
    text = environ.get(name)
    if text is None:
        return None
    try:
        return SecretRef.parse(text)
    except ValueError as error:
        raise UsageError(
            f"{name} {error}",
            hint="It must be a reference to the password, not the password itself.",
        ) from None
