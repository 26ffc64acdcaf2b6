"""Hypothesis strategies for configurations that the checks accept, and for the states they lead to.

Names come from a few, so that what is desired and what is stored meet often: as the same, changed,
renamed and gone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations, product
from typing import TYPE_CHECKING, assert_never

from hypothesis import strategies as st

from reconciler.model.address import Address, Kind
from reconciler.model.connector import (
    Connector,
    Grant,
    MailServer,
    OAuth2,
    SaveSent,
    Security,
    SmtpSignIn,
)
from reconciler.model.directory import Group, Roles
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.policy import GlobalSmtpPolicy, ReplyTo
from reconciler.model.provider import Provider
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import (
    LastTest,
    Snapshot,
    StoredResource,
    StoredState,
)
from reconciler.plan.changes import Change, Create, Delete, Forget, Rename, RotateSecret, Update
from reconciler.plan.inputs import Desired
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.model.resource import Resource

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

NAMES = ("info", "payroll", "no-reply", "support", "x")
GROUPS = ("admins", "staff", "nested")
PEOPLE = ("ada@in.example", "Bob@IN.example", "eve@out.example", "mal@out.example", "jenkins")
ADDRESSES = ("info@in.example", "Info@in.example", "payroll@in.example", "no-reply@out.example")
REFERENCES = (SecretRef("env", "A"), SecretRef("env", "B"), SecretRef("file", "/c"))
HOSTS = ("mail.in.example", "mail.out.example")

names = st.sampled_from(NAMES)
people = st.sampled_from(PEOPLE)
addresses = st.sampled_from(ADDRESSES)
references = st.sampled_from(REFERENCES)
_MARKS = [Fingerprint(key, mac) for key in ("k1", "k2") for mac in ("m1", "m2")]
_FINGERPRINTS = st.sampled_from(list(product(_MARKS, repeat=len(REFERENCES))))


def some(values: tuple[str, ...], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    """A few of the values, each at most once."""
    sizes = range(min(most, len(values)) + 1)
    return st.sampled_from([found for size in sizes for found in permutations(values, size)])


# Drawn as wholes: a few large draws are far cheaper than many small ones.
_TEAMS = ((), (PEOPLE[0],), (PEOPLE[2],), (PEOPLE[1], PEOPLE[3]), (PEOPLE[0], PEOPLE[4], PEOPLE[2]))


def principals(known: tuple[str, ...] = GROUPS) -> st.SearchStrategy[Principals]:
    """Some people and some of the groups that there are."""
    within = ((), known[:1], known[1:])
    return st.sampled_from(
        [Principals(users=team, groups=names) for names in within for team in _TEAMS]
    )


_OAUTH2 = [
    OAuth2(
        grant=Grant.REFRESH_TOKEN, client_id="app", token_endpoint=endpoint, refresh_token=reference
    )
    for endpoint in ("https://in.example/token", "https://out.example/token")
    for reference in REFERENCES
]

_SERVERS = [
    MailServer(
        server=host,
        port=port,
        security=security,
        username=username,
        password=credential if isinstance(credential, SecretRef) else None,
        oauth2=credential if isinstance(credential, OAuth2) else None,
    )
    for host, port, security, username, credential in product(
        HOSTS,
        (993, 465),
        (Security.IMPLICIT, Security.STARTTLS),
        PEOPLE[:2],
        (*REFERENCES, *_OAUTH2),
    )
]

mail_servers = st.sampled_from(_SERVERS)
"""Accounts of a connector with everything that a connection takes."""

_RELAYS = [
    MailServer(server=host, port=25, security=security, sign_in=SmtpSignIn.NONE)
    for host, security in product(HOSTS, (Security.NONE, Security.STARTTLS))
]
submission_servers = st.sampled_from([*_SERVERS, *_RELAYS * 6])
"""The same for SMTP, which some servers offer without a sign-in."""


@st.composite
def connectors(draw: st.DrawFn, name: str) -> Connector:
    """A connector that is complete, or a draft that need not be."""
    shape = draw(st.sampled_from(["both", "both", "sends", "receives", "draft", "empty draft"]))
    sends = shape != "receives"
    servers = st.just(MailServer()) if shape == "empty draft" else mail_servers
    imap = None if shape == "sends" else draw(servers)
    relays = servers if shape == "empty draft" else submission_servers
    smtp = draw(relays) if sends else None
    display_name, labels = draw(st.sampled_from(_LOOKS))
    return Connector(
        name=name,
        display_name=display_name,
        provider=draw(st.sampled_from([None, "own"])),
        imap=imap,
        enable_mail_send_from=sends,
        smtp=smtp,
        email_address=draw(addresses) if sends else None,
        also_sends_as=draw(st.sampled_from(_FURTHER)) if sends else (),
        save_sent=SaveSent.NEVER if labels else SaveSent.AUTO,
        labels=labels,
        draft="draft" in shape,
        prevent_destroy=draw(st.booleans()),
    )


_FURTHER = ((), (), (), ("orders@in.example",), ("*@shop.example", "Payroll@in.example"))

_LOOKS = (("A mailbox", ()), ("Ein Postfach", ("hr",)), ("郵便 | `箱`", ("eu", "hr")))


@st.composite
def policies(draw: st.DrawFn, known: tuple[Connector, ...]) -> GlobalSmtpPolicy:
    """A policy that names connectors which can do what it requires."""
    able = [item.name for item in known if item.can_send]
    enabled = bool(able) and draw(st.booleans())
    carriers = able if enabled else [item.name for item in known]
    answers, saves = draw(st.sampled_from([(ReplyTo.ORIGINAL_SENDER, True), (ReplyTo.NONE, False)]))
    return GlobalSmtpPolicy(
        enabled=enabled,
        connector=draw(st.sampled_from(carriers)) if carriers else None,
        save_to_sent_items=saves,
        reply_to=answers,
        fallback_connector=draw(st.sampled_from([None, *able])),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A whole configuration in which everything that is named exists."""
    known = draw(st.sampled_from([GROUPS, GROUPS[:1], ()]))
    resources: list[Resource] = [
        Group(name=name, members=draw(principals(known))) for name in known
    ]
    providers, internal = draw(
        st.sampled_from([((), None), ((), ("in.example",)), (("own",), ()), (("own",), None)])
    )
    resources += [Provider(name=name, files_sent_copies=internal is None) for name in providers]
    if internal is not None:
        resources.append(
            Roles(
                administrators=draw(principals(known)),
                manage_data_sources=draw(principals(known)),
                internal_domains=internal,
            )
        )
    found = tuple(draw(connectors(name)) for name in draw(some(NAMES, 4)))
    resources += found
    for item in found:
        if draw(st.booleans()):
            resources.append(
                Permissions(
                    connector=item.name,
                    administrators=draw(principals(known)),
                    users=draw(principals(known)),
                    enable_b2b=draw(st.booleans()),
                )
            )
    if draw(st.booleans()):
        resources.append(draw(policies(found)))
    return Snapshot.of(tuple(resources))


@st.composite
def states(draw: st.DrawFn) -> StoredState:
    """A stored state, or the empty one."""
    snapshot = draw(snapshots())
    if not snapshot.resources:
        return StoredState()
    tests = st.sampled_from([None, LastTest(passed=True, at=NOON), LastTest(passed=False, at=NOON)])
    marks = dict(zip(REFERENCES, draw(_FINGERPRINTS), strict=True))
    return StoredState(
        "lineage",
        draw(st.integers(1, 9)),
        tuple(
            StoredResource(
                resource=item,
                created_at=NOON,
                modified_at=NOON,
                modified_by="ada",
                fingerprints=tuple((name, marks[name]) for name in sorted(item.references))
                if isinstance(item, Connector)
                else (),
                last_test=draw(tests) if isinstance(item, Connector) and not item.draft else None,
            )
            for item in snapshot.resources
        ),
    )


@st.composite
def wishes(draw: st.DrawFn, current: StoredState) -> Desired:
    """What may be desired of a stored state: parts of it as they are, and anything else.

    Renames are of every sort: fitting, applied long ago, from names that never were.
    """
    fresh = draw(snapshots())
    kept = draw(st.sampled_from([NAMES, NAMES[:2], NAMES[2:], ()]))
    connectors_kept = {item.name: item for item in current.snapshot.connectors if item.name in kept}
    resources: list[Resource] = [
        connectors_kept.get(item.name, item) if isinstance(item, Connector) else item
        for item in fresh.resources
    ]
    configured = Snapshot.of(tuple(resources))
    if configured.policy is not None:
        policy = draw(policies(configured.connectors))
        configured = replace(configured, policy=policy)
    taken = {item.name for item in configured.connectors}
    free = [name for name in NAMES if name not in taken]
    renames = []
    for item in configured.connectors:
        claims = draw(st.booleans())
        if free and claims:
            former = draw(st.sampled_from(free))
            free.remove(former)
            renames.append((item.name, former))
    looked = draw(st.sampled_from([REFERENCES, REFERENCES[:2], ()]))
    seen = zip(looked, draw(_FINGERPRINTS), strict=False)
    return Desired(configured, tuple(renames), tuple(seen))


@st.composite
def situations(draw: st.DrawFn) -> tuple[StoredState, Desired]:
    """A stored state and what is desired instead."""
    current = draw(states())
    return current, draw(wishes(current))


def carried_out(current: StoredState, changes: tuple[Change, ...], desired: Desired) -> StoredState:
    """The state after the changes: the plainest reading of what each of them means.

    Independent of :mod:`reconciler.state`; raises AssertionError if a change does not fit.
    """
    found = {item.address: item for item in current.resources}
    known = dict(desired.fingerprints)
    for change in changes:
        match change:
            case Create(after):
                assert after.address not in found, f"{after.address} is there already"
                found[after.address] = StoredResource(after, NOON, NOON, "ada")
            case Update(before, after):
                assert found[before.address].resource == before
                assert before.address == after.address
                found[after.address] = replace(found[before.address], resource=after)
            case Rename(before, after):
                assert after.address not in found, f"{after.address} is there already"
                moved = found.pop(before.address)
                assert moved.resource == before
                found[after.address] = replace(moved, resource=after)
            case Delete(before) | Forget(before):
                assert found.pop(before.address).resource == before
            case RotateSecret(connector):
                assert found[connector.address].resource == connector
            case _:
                assert_never(change)
    kept = []
    for item in found.values():
        if isinstance(item.resource, Connector):
            merged = {**dict(item.fingerprints), **known}
            marks = tuple(
                (reference, merged[reference])
                for reference in sorted(item.resource.references)
                if reference in merged
            )
            kept.append(replace(item, fingerprints=marks))
        else:
            kept.append(item)
    return StoredState(current.lineage or "lineage", current.serial + 1, tuple(kept))


def unresolved(snapshot: Snapshot) -> list[str]:
    """Everything that a snapshot names but lacks, or that cannot do what is required."""
    by_name = {item.name: item for item in snapshot.connectors}
    known = {item.name for item in snapshot.groups}
    found = [f"permissions of {p.connector}" for p in snapshot.permissions
             if p.connector not in by_name]  # fmt: skip
    named = [
        group
        for item in snapshot.permissions
        for group in (*item.administrators.groups, *item.users.groups)
    ]
    named += [group for item in snapshot.groups for group in item.members.groups]
    if snapshot.roles is not None:
        held = (snapshot.roles.administrators, snapshot.roles.manage_data_sources)
        named += [group for item in held for group in item.groups]
    found += [f"group {name}" for name in named if name not in known]
    policy = snapshot.policy
    if policy is not None:
        for name, sends in (
            (policy.connector, policy.enabled),
            (policy.fallback_connector, True),
        ):
            item = by_name.get(name) if name is not None else None
            if name is not None and (item is None or (sends and not item.can_send)):
                found.append(f"the policy's {name}")
    return found


def address_of(name: str) -> Address:
    """The address of a connector."""
    return Address(Kind.EMAIL_CONNECTOR, name)
