"""The canonical text by pydantic's serialiser is that of the canonical JSON of a specification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.load import built_in_providers
from reconciler.model.application import Application
from reconciler.model.canonical import canonical_text, configuration_digest, document_digest
from reconciler.model.connector import Connector, Grant, MailServer, OAuth2, Security
from reconciler.model.depth import Depth
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.policy import GlobalSmtpPolicy, ReplyTo
from reconciler.model.resource import canonical_json, digest, spec_of, to_plain
from reconciler.model.secret_ref import SecretRef
from reconciler.plan.document import to_document
from reconciler.plan.planner import plan
from tests.strategies import situations, snapshots

if TYPE_CHECKING:
    from reconciler.model.resource import JSON, Resource
    from reconciler.model.snapshot import Snapshot, StoredState
    from reconciler.plan.inputs import Desired

TEXT = "“q” \\ / \" ' \x7f \x80 \t \n \u2028 é 😀 <&>"

EVERY_FIELD: tuple[Resource, ...] = (
    Connector(
        name="all", display_name=TEXT, provider="own.example", enable_mail_send_from=True,
        imap=MailServer(
            server="é.example", port=143, security=Security.STARTTLS, allow_cleartext_auth=True,
            username=TEXT, client_certificate=SecretRef("file", "/c"), client_key=SecretRef("file", "/k"),
            oauth2=OAuth2(
                grant=Grant.CLIENT_CREDENTIALS, client_id="a", tenant="b", token_endpoint="https://x.example",
                scopes=("z", "a"), client_secret=SecretRef("env", "S"),
            ),
        ),
        smtp=MailServer(password=SecretRef("env", TEXT)),
        also_sends_as=("b@x.example", "a@x.example"), depth=next(iter(Depth)),
        timeout_seconds=3600, labels=("b", "a"), draft=True,
    ),
    Permissions(connector="all", users=Principals(users=("b", "a"), groups=("g",)), enable_b2b=True),
    Group(name="g", members=Principals(users=(TEXT,))),
    Roles(administrators=Principals(users=("a",)), internal_domains=("x.example",)),
    GlobalSmtpPolicy(enabled=True, connector="all", reply_to=next(iter(ReplyTo))),
    Application(name="crm", user="crm", password=SecretRef("env", "CRM"), networks=("10.0.0.0/8",)),
    *built_in_providers(),
)  # fmt: skip


@pytest.mark.parametrize("resource", EVERY_FIELD, ids=lambda item: str(item.address))
def test_every_field_is_written_as_the_specification_says(resource: Resource) -> None:
    assert canonical_text(resource) == canonical_json(spec_of(resource))


@given(st.text(), snapshots())
def test_the_text_is_that_of_the_specification(text: str, snapshot: Snapshot) -> None:
    group = Group(name="g", members=Principals(users=(text.encode("utf-8", "replace").decode(),)))
    for resource in (group, *snapshot.resources):
        assert canonical_text(resource) == canonical_json(spec_of(resource))


@given(snapshots(), st.dictionaries(st.text("ab-", min_size=1), st.text("cd", min_size=1)))
def test_the_digest_is_that_of_the_value(snapshot: Snapshot, renames: dict[str, str]) -> None:
    resources: dict[str, JSON] = {str(item.address): spec_of(item) for item in snapshot.resources}
    assert configuration_digest(snapshot, tuple(renames.items())) == digest(
        {"resources": resources, "renames": dict(renames)}
    )


@given(situations())
def test_the_digest_of_a_document_is_that_of_its_value(
    situation: tuple[StoredState, Desired],
) -> None:
    current, desired = situation
    document = to_document(plan(desired, current))
    assert document_digest(document) == digest(to_plain(document, nulls=True))


def test_a_value_of_another_type_is_written_as_it_is() -> None:
    odd = Group(name=7, members=Principals(users=[1, "a"]))  # type: ignore[arg-type]
    assert canonical_text(odd) == '{"members":{"groups":[],"users":[1,"a"]},"name":7}'
