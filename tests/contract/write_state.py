"""Writes the state file of the current schema, which every later release must be able to open.

Run once for each schema, before the next one is begun: ``python -m tests.contract.write_state``. What
the release itself reads from its file goes beside it as JSON: a later one must read no less.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.model.address import Address
from reconciler.model.application import Application
from reconciler.model.credential_use import CredentialUse, Destination
from reconciler.model.directory import Group
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.secret_ref import SecretRef
from reconciler.model.sending import SendingRecord, SendingResult
from reconciler.model.setting import Setting
from reconciler.model.sign_in_attempt import AttemptOutcome, SignInAttempt
from reconciler.model.snapshot import LastTest
from reconciler.plan.changes import Change, Create, Delete, Rename, RotateSecret, Update
from reconciler.plan.credentials import uses
from reconciler.routing.keys import needs_of
from reconciler.routing.request import RouteRequest
from reconciler.state import schema_version
from reconciler.state.base import Commit, StateStore
from reconciler.state.sql.store import open_store
from reconciler.values import field_names, replace
from tests.builders import connector, groups, permissions, roles, users

if TYPE_CHECKING:
    from reconciler.model.resource import JSON

STATES: Final = Path(__file__).parent / "states"
NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)

INFO = connector("info")
SUPPORT = replace(INFO, name="support", display_name="Поддержка — “support”")
PAYROLL = connector("payroll", prevent_destroy=True, labels=("hr",))
FACTS: Final[dict[str, JSON]] = {"imap": {"mechanisms": ["PLAIN"]}}
OLD = connector("old")
GRAFANA = Application(
    name="grafana",
    user="grafana@contoso.example",
    password=SecretRef("env", "GRAFANA_PASSWORD"),
    networks=("10.1.0.0/16",),
    senders=("*@contoso.example",),
)


def fill(store: StateStore) -> None:
    """Apply what a state can hold: every kind, renames, rotations, deletes, tests and fingerprints."""
    failed = LastTest(
        False, NOON, "imap authentication", "auth_rejected", "Wrong password.", facts=FACTS
    )
    _commit(
        store,
        Create(Group(name="support-team", members=users("bob@contoso.example"))),
        Create(roles("ada@contoso.example", internal=("contoso.example",))),
        *map(Create, (INFO, OLD, PAYROLL)),
        Create(permissions("payroll", users=groups("support-team"), enable_b2b=True)),
        Create(GlobalSmtpPolicy(enabled=True, connector="payroll")),
        Create(GRAFANA),
        fingerprints=_marks("info", "01") + _marks("payroll", "02"),
        tests=(("info", LastTest(passed=True, at=NOON)), ("payroll", failed)),
        note="the first one",
        credential_uses=_uses("info", "0a") + _uses("payroll", "0b"),
        settings=(Setting("allowed_hosts", "any", "default"),),
    )
    _commit(store, Rename(INFO, SUPPORT, ()), Update(PAYROLL, replace(PAYROLL, labels=()), ()))
    _commit(store, RotateSecret(SUPPORT, ()), Delete(OLD), fingerprints=_marks("support", "03"))
    store.record_tests((("support", failed),), serial=3)
    _attempt(store)
    store.record_sent(
        SendingRecord(
            id="5eed",
            at=NOON,
            actor="ada@contoso.example",
            actor_source="--as",
            connector="support",
            host="smtp.contoso.example",
            message_id="<1@contoso.example>",
            sender="support@contoso.example",
            from_address="support@contoso.example",
            recipients=2,
            accepted=1,
            size=2**33,
            result=SendingResult.PARTLY,
            code=550,
            enhanced="5.1.1",
            sentence="One recipient is unknown.",
            copy="saved",
            application="grafana",
            asked_connector="info",
            reason="global_policy",
        )
    )


def _attempt(store: StateStore) -> None:
    """Sign in with one secret, and leave another attempt without an end."""
    attempts = tuple(
        SignInAttempt(
            id=name,
            at=NOON,
            actor="ada@contoso.example",
            actor_source="--actor",
            command="test",
            connector="support",
            protocol="imap",
            reference=SecretRef("env", "INFO_PASSWORD"),
            identity="env:INFO_PASSWORD",
            destination=Destination(f"{name}.contoso.example", 993, "implicit", "support"),
        )
        for name in ("first", "second")
    )
    store.record_attempts(attempts)
    store.finish_attempts((replace(attempts[0], outcome=AttemptOutcome.SIGNED_IN),))


def everything(store: StateStore) -> JSON:
    """Everything that can be read from a store, as JSON."""
    state, revisions = store.load(), store.revisions(limit=1000)
    return {
        "lineage": state.lineage,
        "serial": state.serial,
        "resources": [
            {"address": str(item.address), "status": _plain(item.status), **_fields(item)}
            for item in state.resources
        ],
        "revisions": _plain(revisions),
        "changes": {str(item.serial): _plain(store.changes_of(item.serial)) for item in revisions},
        "history": {
            str(item.address): _plain(store.history(item.address)) for item in state.resources
        },
        "lease": _plain(store.lease()),
        "sent": _plain(store.sent()),
        "attempts": _plain(store.attempts()),
        "credential_uses": _plain(state.credential_uses),
        "settings": _plain(state.settings),
        "routing": _routing(store),
    }


def _routing(store: StateStore) -> JSON:
    """What is read for one mail, by the keys that the store keeps."""
    needs = needs_of(RouteRequest(actor="ada@contoso.example", sender="info@contoso.example"))
    found = store.routing(needs)
    if found is None:
        return None
    return {
        "resources": [str(item.address) for item in found.snapshot.resources],
        "internal_domains": _plain(sorted(found.internal_domains)),
    }


def _commit(store: StateStore, *changes: Change, note: str = "", **more: object) -> None:
    base = store.load()
    commit = Commit(
        expected_lineage=base.lineage,
        expected_serial=base.serial,
        changes=changes,
        at=NOON + timedelta(hours=base.serial, microseconds=7),
        actor="ada@contoso.example",
        actor_source="GITHUB_ACTOR",
        git_commit="c0ffee",
        tool_version="0.1.0",
        plan_digest="sha256:00",
        note=note,
        **more,  # type: ignore[arg-type]
    )
    with store.lock(holder="ada", operation="apply") as lock:
        store.commit(commit, token=lock.lease.token)


def _marks(
    name: str, mac: str
) -> tuple[tuple[str, tuple[tuple[SecretRef, Fingerprint], ...]], ...]:
    reference = SecretRef("env", "INFO_PASSWORD" if name != "payroll" else "PAYROLL_PASSWORD")
    return ((name, ((reference, Fingerprint("k1", mac * 32)),)),)


def _uses(name: str, mac: str) -> tuple[CredentialUse, ...]:
    return tuple(
        CredentialUse(reference, str(reference), destination, Fingerprint("k1", mac * 32))
        for _, reference, destination in uses(connector(name))
    )


def _plain(value: object) -> JSON:
    if isinstance(value, Address | CredentialUse | Destination):
        value = value._asdict()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, SecretRef | Enum):
        return str(value)
    if field_names(type(value)):
        return _fields(value)
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if value is None or isinstance(value, str | int | bool):
        return value
    assert isinstance(value, Sequence)
    return [_plain(item) for item in value]


def _fields(value: object) -> dict[str, JSON]:
    return {name: _plain(getattr(value, name)) for name in field_names(type(value))}


def main() -> None:
    """Write both files; an existing state is never written again, because a release did that."""
    target = STATES / f"{schema_version.SCHEMA_VERSION}.db"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        store = open_store(f"sqlite:///{path}")
        fill(store)
        text = json.dumps(everything(store), indent=1, ensure_ascii=False, sort_keys=True)
        store.close()  # what is in the log only belongs to the file too
        with target.open("xb") as file:
            file.write(path.read_bytes())
        target.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
