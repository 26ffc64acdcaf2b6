"""The limits that a plan breaks. They refuse an apply; the plan is always shown."""

from __future__ import annotations

from enum import StrEnum
from shlex import quote
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from reconciler.model.connector import Connector
from reconciler.model.credential_rule import CredentialRule, is_reserved
from reconciler.model.credential_use import GATEWAY
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.plan.changes import Change, Create, Delete, Forget, Rename, RotateSecret, Update
from reconciler.plan.diff import connector_renames
from reconciler.plan.origin import Origin, other_origin
from reconciler.values import replace
from reconciler.wording import LINES, TO_ACT_ON, listed, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.snapshot import StoredState
    from reconciler.plan.credentials import Identify, NewCredentialUse
    from reconciler.plan.inputs import Desired, Limits, Overrides


class Limit(StrEnum):
    """The limits that a plan can break."""

    OTHER_PROJECT = "other_project"
    DELETES = "deletes"
    UPDATES = "updates"
    EMPTY = "empty"
    PROTECTED = "protected"
    LAST_ADMINISTRATOR = "last_administrator"
    CREDENTIAL = "credential"
    RESERVED_CREDENTIAL = "reserved_credential"
    POLICY_CHANGE = "policy_change"


class LimitViolation(Struct, frozen=True):
    """A limit that blocks the apply, why, and how to allow it.

    ``override`` is the option to exceed it; empty if there is none. ``uses`` are the affected uses of
    secrets.
    """

    limit: Limit
    message: str
    override: str
    uses: tuple[NewCredentialUse, ...] = ()

    @property
    def needs_only_a_person(self) -> bool:
        """Whether approval on a terminal, after reading the plan, is enough."""
        return self.limit in (Limit.POLICY_CHANGE, Limit.CREDENTIAL)

    @property
    def about_credentials(self) -> bool:
        """Whether a secret would go somewhere that nobody has allowed yet."""
        return self.limit in (Limit.CREDENTIAL, Limit.RESERVED_CREDENTIAL)

    @property
    def needs_only_a_saved_plan(self) -> bool:
        """Whether an approved, sealed plan is enough approval."""
        return self.limit is Limit.CREDENTIAL


def violations(
    changes: tuple[Change, ...],
    desired: Desired,
    current: StoredState,
    *,
    new_credentials: tuple[NewCredentialUse, ...],
    identify: Identify,
    limits: Limits,
    overrides: Overrides,
) -> tuple[LimitViolation, ...]:
    """Every limit that the changes exceed without an override."""
    return (
        *_other_project(desired, current),
        *_protected(changes),
        *_last_administrator(desired, current),
        *_deletes(changes, desired, current, limits, overrides),
        *_updates(changes, current, limits, overrides),
        *unapproved(new_credentials, limits, overrides, identify),
        *_policy(changes, current, overrides),
    )


def _other_project(desired: Desired, current: StoredState) -> Iterator[LimitViolation]:
    """A plan of another project would destroy what the state's own project applied."""
    found = other_origin(current.settings, desired.settings)
    if current.serial and found is not None:
        yield LimitViolation(Limit.OTHER_PROJECT, another_project(*found), "")


def another_project(before: Origin, after: Origin) -> str:
    """Name the project of the state, and the command that moves it."""
    return (
        f"the state was made for {before}; this is {after}. Check the state, the folder and the environment;"
        " if the state is to move, `reconciler state adopt`"
    )


def _protected(changes: tuple[Change, ...]) -> Iterator[LimitViolation]:
    for change in changes:
        if (
            isinstance(change, Delete)
            and isinstance(change.before, Connector)
            and change.before.prevent_destroy
        ):
            yield LimitViolation(
                Limit.PROTECTED,
                f"{change.address} is protected by prevent_destroy; set prevent_destroy: false, apply that, then delete the document",
                "",
            )


def _last_administrator(desired: Desired, current: StoredState) -> Iterator[LimitViolation]:
    """Without an Administrator everybody is one, so removing the last one gives everybody all rights.

    An empty configuration has nothing to protect.
    """
    configured = desired.snapshot
    if configured.administrators or not configured.resources:
        return
    if current.snapshot.administrators:
        yield LimitViolation(
            Limit.LAST_ADMINISTRATOR,
            "no Administrator would be left, which would make everybody one; name at least one user"
            " in Roles, or in a group that it names",
            "",
        )


def _deletes(
    changes: tuple[Change, ...],
    desired: Desired,
    current: StoredState,
    limits: Limits,
    overrides: Overrides,
) -> Iterator[LimitViolation]:
    deleted = [item for item in changes if isinstance(item, Delete)]
    count = sum(isinstance(item.before, Connector) for item in deleted)
    if deleted and not desired.snapshot.resources:
        enough = max(count, 1)  # of connectors, as the option counts
        if overrides.deletes < enough:
            yield LimitViolation(
                Limit.EMPTY,
                f"the configuration is empty, and all {len(deleted)} stored resources would be deleted",
                f"--allow-deletes {enough}",
            )
        return
    maximum = (limits.max_delete_percent, limits.max_deletes)
    if count > overrides.deletes:
        yield from _share(Limit.DELETES, count, current, maximum, limits.min_connectors)


def _updates(
    changes: tuple[Change, ...], current: StoredState, limits: Limits, overrides: Overrides
) -> Iterator[LimitViolation]:
    touched = {
        item.address
        for item in changes
        if (isinstance(item, Update | Rename) and isinstance(item.after, Connector))
        or isinstance(item, RotateSecret)
    }
    maximum = (limits.max_update_percent, limits.max_updates)
    if len(touched) > overrides.updates:
        yield from _share(Limit.UPDATES, len(touched), current, maximum, limits.min_connectors)


def _share(
    limit: Limit, count: int, current: StoredState, maximum: tuple[int, int], least: int
) -> Iterator[LimitViolation]:
    percent, absolute = maximum
    stored = sum(isinstance(item.resource, Connector) for item in current.resources)
    option = f"--allow-{limit} {count}"
    if stored >= least and count * 100 > stored * percent:
        share = count * 100 // stored
        yield LimitViolation(
            limit,
            f"{count} of {stored} stored connectors ({share} %) would be {_verb(limit)}; the limit"
            f" is {percent} %",
            option,
        )
    elif count > absolute:
        yield LimitViolation(
            limit,
            f"{count} connectors would be {_verb(limit)}; the limit is {absolute}",
            option,
        )


def _verb(limit: Limit) -> str:
    return "deleted" if limit is Limit.DELETES else "changed"


def unapproved(
    new: tuple[NewCredentialUse, ...], limits: Limits, overrides: Overrides, identify: Identify
) -> Iterator[LimitViolation]:
    """Yield unapproved uses, as one violation for each connector and application."""
    if limits.credentials is None:
        return
    rules = (*limits.credentials, *overrides.credentials)
    pairs: dict[tuple[bool, _Holder], dict[CredentialRule, list[NewCredentialUse]]] = {}
    held: dict[_Holder, dict[SecretRef, None]] = {}
    for item in new:
        host = item.after.host_name
        names = {str(item.reference), identify(item.reference)}
        reserved = is_reserved(item.reference)
        if not any(
            rule.covers(name, host, item.provider) and (rule.names_reserved or not reserved)
            for rule in rules
            for name in names
        ):
            pair = CredentialRule(str(item.reference), host)
            holder = (item.protocol == GATEWAY, item.connector)
            pairs.setdefault((reserved, holder), {}).setdefault(pair, []).append(item)
            held.setdefault(holder, {}).update(dict.fromkeys(item.same_as))
    for (reserved, holder), found in pairs.items():
        options = " ".join(f"--allow-credential {quote(str(rule))}" for rule in found)
        message = _sentence(holder, tuple(found), reserved=reserved)
        if same := held[holder]:
            message += f"; it is the same secret as {listed(tuple(same), TO_ACT_ON)}"
        limit = Limit.RESERVED_CREDENTIAL if reserved else Limit.CREDENTIAL
        uses = tuple(use for items in found.values() for use in items)
        yield LimitViolation(limit, message, options, uses)


def overriding_options(violations: Iterable[LimitViolation]) -> str:
    """The options that allow all of these, each once, and no more than can be typed."""
    from reconciler.plan.alike_uses import credential_options, pending_uses  # noqa: PLC0415 - only where a plan is refused

    broken = tuple(violations)
    options = dict.fromkeys(item.override for item in broken if item.override and not item.uses)
    options |= dict.fromkeys(credential_options(pending_uses(broken)))
    shown, more = shortened(tuple(options), LINES)
    return " ".join([*shown, *([more] if more else [])])


_Holder: TypeAlias = tuple[bool, str]
"""The owner of the secret: whether it is an application, and its name."""


def _sentence(holder: _Holder, pairs: tuple[CredentialRule, ...], *, reserved: bool) -> str:
    is_application, name = holder
    if is_application:
        references = ", ".join(pair.references for pair in pairs)
        if reserved:
            return f"application {name} would have a variable of the pipeline as its password: {references}"
        return f"application {name} would sign in with {references} for the first time"
    sentence = ", ".join(f"{pair.references} to {pair.hosts}" for pair in pairs)
    if reserved:
        return f"{name} would send a variable of the pipeline as a secret: {sentence}"
    return f"{name} would send {sentence} for the first time"


def _policy(
    changes: tuple[Change, ...], current: StoredState, overrides: Overrides
) -> Iterator[LimitViolation]:
    if overrides.policy_change or not current.serial:
        return
    # Only renames of this plan count: documents may keep an old renamed_from.
    names = {old: new for new, old in connector_renames(changes).items()}
    for change in changes:
        if isinstance(change, RotateSecret):
            continue
        before = None if isinstance(change, Create) else change.before
        after = None if isinstance(change, Delete | Forget) else change.after
        if not isinstance(before or after, GlobalSmtpPolicy):
            continue
        if isinstance(before, GlobalSmtpPolicy) and renamed(before, names) == after:
            continue  # the same policy; only a connector in it was renamed
        yield LimitViolation(
            Limit.POLICY_CHANGE,
            "the global SMTP policy changes, which affects all mail",
            "--allow-policy-change",
        )


def renamed(policy: GlobalSmtpPolicy, names: dict[str, str]) -> GlobalSmtpPolicy:
    """The same policy after connectors were renamed; ``names`` leads from old names to new ones."""
    carrier, fallback = policy.connector, policy.fallback_connector
    return replace(
        policy,
        connector=names.get(carrier, carrier) if carrier else None,
        fallback_connector=names.get(fallback, fallback) if fallback else None,
    )
