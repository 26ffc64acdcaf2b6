"""Short ways to make the values that tests are about: a connector, a stored state, a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reconciler.connection.failure import ErrorClass, Failure, Stage
from reconciler.model.address import Address, Kind
from reconciler.model.application import Application
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.credential_rule import CredentialRule
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import NOBODY, Permissions, Principals
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import (
    LastTest,
    Snapshot,
    StoredResource,
    StoredState,
)
from reconciler.plan.inputs import Desired, Limits, Overrides
from reconciler.plan.planner import Plan, plan
from reconciler.probe.result import ConnectorResult, ProtocolResult, StageOutcome, StageResult
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.resource import Resource

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINEAGE = "5f2b8a"

PASSED = LastTest(passed=True, at=NOON)
FAILED = LastTest(
    passed=False,
    at=NOON,
    stage="imap authentication",
    error_class="auth_rejected",
    summary="The server refused the login.",
)


def application(name: str, **fields: Any) -> Application:
    """An application whose user is ``name@contoso.example``."""
    given: dict[str, Any] = {
        "user": f"{name}@contoso.example",
        "password": SecretRef("env", f"{name.upper()}_SMTP_PASSWORD"),
    }
    return Application(name=name, **{**given, **fields})


def mail_server(name: str, protocol: str = "imap", **fields: Any) -> MailServer:
    """A complete account of the connector ``name``."""
    given: dict[str, Any] = {
        "server": f"{protocol}.contoso.example",
        "port": 993 if protocol == "imap" else 465,
        "security": Security.IMPLICIT,
        "username": f"{name}@contoso.example",
        "password": SecretRef("env", f"{name.upper()}_PASSWORD"),
    }
    return MailServer(**{**given, **fields})


def connector(name: str, **fields: Any) -> Connector:
    """A connector that reads and sends as ``name@contoso.example``."""
    given: dict[str, Any] = {
        "display_name": name.capitalize(),
        "imap": mail_server(name),
        "enable_mail_send_from": True,
        "smtp": mail_server(name, "smtp"),
        "email_address": f"{name}@contoso.example",
        "use_same_credentials": True,
    }
    return Connector(name=name, **{**given, **fields})


def moved(changed: Connector, **fields: Any) -> Connector:
    """The same connector with other fields in both of its accounts."""
    assert changed.imap is not None
    assert changed.smtp is not None
    return replace(
        changed, imap=replace(changed.imap, **fields), smtp=replace(changed.smtp, **fields)
    )


def receiving(name: str, **fields: Any) -> Connector:
    """A connector that only reads."""
    given: dict[str, Any] = {"enable_mail_send_from": False, "smtp": None, "email_address": None}
    return connector(name, **{**given, **fields})


def users(*names: str) -> Principals:
    """Users, named one by one."""
    return Principals(users=names)


def groups(*names: str) -> Principals:
    """Groups, by name."""
    return Principals(groups=names)


def permissions(of: str, **fields: Any) -> Permissions:
    """The permissions of a connector."""
    return Permissions(connector=of, **fields)


def group(name: str, *members: str, within: tuple[str, ...] = ()) -> Group:
    """A group of users, and of the groups ``within`` it."""
    return Group(name=name, members=Principals(users=members, groups=within))


def roles(
    *administrators: str, manage: Principals = NOBODY, internal: tuple[str, ...] = ()
) -> Roles:
    """The roles, with Administrators named one by one."""
    return Roles(
        administrators=users(*administrators),
        manage_data_sources=manage,
        internal_domains=internal,
    )


def snapshot(*resources: Resource) -> Snapshot:
    """The resources as a snapshot."""
    return Snapshot.of(resources)


def stored(
    *resources: Resource,
    serial: int = 1,
    tests: dict[str, LastTest | None] | None = None,
    fingerprints: dict[str, dict[SecretRef, Fingerprint]] | None = None,
) -> StoredState:
    """A stored state whose connectors all passed their test, except for ``tests``."""
    results, known = tests or {}, fingerprints or {}
    return StoredState(
        LINEAGE,
        serial,
        tuple(
            StoredResource(
                resource=item,
                created_at=NOON,
                modified_at=NOON,
                modified_by="ada",
                fingerprints=tuple(sorted(known.get(item.address.name, {}).items())),
                last_test=results.get(item.address.name, PASSED)
                if isinstance(item, Connector) and not item.draft
                else None,
            )
            for item in resources
        ),
    )


FINGERPRINT_KEY = (
    "reconciler_key_cfd997b6bd743749b885341eff1220da35b01b9739736f6a5cf5bb5f1a9a6fe2a06aef4f"
)
"""A key as `reconciler state key` makes it."""

EMPTY = StoredState()


def planned(
    current: StoredState,
    *configured: Resource,
    renames: tuple[tuple[str, str], ...] = (),
    fingerprints: dict[SecretRef, Fingerprint] | None = None,
    limits: Limits | None = None,
    overrides: Overrides | None = None,
    rules: tuple[str, ...] = ("*",),
    real_paths: tuple[tuple[SecretRef, str], ...] = (),
) -> Plan:
    """The plan from ``current`` to what is desired; ``rules`` allow credentials to go anywhere."""
    desired = Desired(
        Snapshot.of(configured), renames, tuple((fingerprints or {}).items()), real_paths=real_paths
    )
    allowed = tuple(CredentialRule.parse(rule) for rule in rules)
    limits = replace(limits or Limits(), credentials=allowed)
    return plan(desired, current, limits, overrides or Overrides())


def at(kind: Kind, name: str = "default") -> Address:
    """An address."""
    return Address(kind, name)


def result(name: str, error: ErrorClass | None = None) -> ConnectorResult:
    """The result of a live test: passed, or failed at the sign-in with ``error``."""
    failure = (
        Failure(error, "The server refused the login.", "Check the password.", "535 5.7.8 no")
        if error
        else None
    )
    stages = (
        StageResult(Stage.TCP, StageOutcome.OK, 0.01),
        StageResult(
            Stage.AUTHENTICATION,
            StageOutcome.FAILED if error else StageOutcome.OK,
            0.02,
            failure=failure,
        ),
    )
    account = ProtocolResult(Protocol.IMAP, "imap.contoso.example", 993, stages)
    return ConnectorResult(name, NOON, 0.03, (account,))
