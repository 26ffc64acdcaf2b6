"""A document is as short as leaving out one field after another would make it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler.config import fitting
from reconciler.config.build import build_connector
from reconciler.config.documents import TYPES
from reconciler.config.fitting import Wanted, Workshop, shortest
from reconciler.config.load import built_in_providers
from reconciler.config.unresolve import concise, in_full, paths_of, without
from reconciler.config.variables import Variables
from reconciler.errors import ReconcilerError
from reconciler.model.address import Kind
from reconciler.model.connector import Connector
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.provider import Provider
from reconciler.model.validators import validator
from tests.strategies import snapshots

if TYPE_CHECKING:
    from reconciler.config.unresolve import Written
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import Snapshot

SPOKEN: Final = frozenset({"enabled"})


def read(document: Written, provider: Provider | None) -> Resource | None:
    """What a document means; None if something is missing that has to be there."""
    try:
        value = validator(TYPES[Kind(str(document["kind"]))]).validate_json(json.dumps(document))
    except (KeyError, ValidationError):
        return None
    return build_connector(value, provider) if isinstance(value, ConnectorDocument) else value


def by_trial(resource: Resource, provider: Provider | None) -> Written | None:
    """Leave out one field after another while the document is read as the same; None if it never is."""
    found = in_full(resource, provider)
    if read(found, provider) != resource:
        return None
    for path in tuple(paths_of(found)):
        shorter = without(found, path)
        if path[-1] not in SPOKEN and read(shorter, provider) == resource:
            found = shorter
    return found


def by_concise(resource: Resource, provider: Provider | None) -> Written | None:
    try:
        return concise(resource, provider)
    except ReconcilerError:
        return None


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the fields, each with a value."""
    return st.fixed_dictionaries({}, optional=fields)


USERS: Final = st.sampled_from(
    ["a@one.example", "b@two.example", "a", "env:USER", "*@one.example", "a@" + "x" * 250, "a@b@one.example"]
)  # fmt: skip
ADDRESSES: Final = st.sampled_from(["a@one.example", "b@two.example", "*@one.example"])
HOSTS: Final = st.sampled_from(["mail.one.example", "mail.two.example", "mail.example"])
PORTS: Final = st.sampled_from([993, 465, 143, 587, 25, 2500])
SECURITY: Final = st.sampled_from(["implicit", "starttls", "none"])
REFERENCES: Final = st.sampled_from(["env:A", "env:B"])
ENDPOINTS: Final = st.sampled_from(
    ["https://login.example/t/token", "https://login.example/{tenant}/token", "https://o.example/"]
)
SCOPES: Final = st.sampled_from([[], ["one"], ["two", "three"]])
OAUTH2: Final = st.builds(
    lambda required, more: {**required, **more},
    st.fixed_dictionaries(
        {"grant": st.sampled_from(["client_credentials", "refresh_token", "jwt_bearer"])}
    ),
    some(
        client_id=st.just("app"),
        tenant=st.just("t"),
        token_endpoint=ENDPOINTS,
        scopes=SCOPES,
        client_secret=REFERENCES,
        subject=st.sampled_from(["a@one.example", "a", "b@two.example"]),
    ),
)
ACCOUNT: Final[dict[str, st.SearchStrategy[Any]]] = {
    "server": HOSTS,
    "port": PORTS,
    "allow_cleartext_auth": st.booleans(),
    "username": USERS,
    "password": REFERENCES,
    "oauth2": OAUTH2,
}
ENCRYPTION: Final[st.SearchStrategy[dict[str, Any]]] = st.one_of(
    st.just({}), st.booleans().map(lambda on: {"use_ssl": on}), SECURITY.map(lambda x: {"security": x})
)  # fmt: skip
SHARED: Final[dict[str, st.SearchStrategy[Any]]] = {
    "ca_file": st.sampled_from(["ca.pem", "other.pem"]),
    "client_certificate": REFERENCES,
    "client_key": REFERENCES,
    "ehlo_name": HOSTS,
    "timeout_seconds": st.sampled_from([30, 60]),
    "max_connections": st.sampled_from([1, 2]),
    "mails_per_minute": st.sampled_from([1, 2]),
}


def joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(
        lambda found: {key: x for part in found for key, x in part.items()}
    )


CONNECTORS: Final = joined(
    st.just({"kind": "EmailConnector", "name": "x", "provider": "p"}),
    some(
        display_name=st.sampled_from(["x", "X"]),
        imap=joined(some(**ACCOUNT), ENCRYPTION),
        smtp=joined(
            some(
                **ACCOUNT,
                sign_in=st.just("none"),
                email_address=ADDRESSES,
                use_same_credentials=st.booleans(),
            ),
            ENCRYPTION,
        ),
    ),
    st.sampled_from([True, True, True, False]).map(lambda sends: {"enable_mail_send_from": sends}),
    some(
        from_name=st.just("X"),
        reply_to=ADDRESSES,
        also_sends_as=st.sampled_from([[], ["c@one.example"]]),
        test_recipient=ADDRESSES,
        depth=st.just("mailbox"),
        sent_folder=st.just("Sent"),
        save_sent=st.sampled_from(["auto", "never"]),
        labels=st.sampled_from([[], ["hr"]]),
        draft=st.booleans(),
        prevent_destroy=st.booleans(),
        **SHARED,
    ),
)
SERVERS: Final = st.fixed_dictionaries(
    {
        "server": st.sampled_from(["mail.{domain}", "mail.one.example", "mail.example"]),
        "port": PORTS,
        "security": SECURITY,
    },
    optional={"username_form": st.sampled_from(["address", "local_part", "local.domain"])},
)
PROVIDERS: Final = joined(
    st.just({"kind": "Provider", "name": "p"}),
    some(
        imap=SERVERS,
        smtp=SERVERS,
        oauth2=st.fixed_dictionaries(
            {"token_endpoint": ENDPOINTS},
            optional={"client_credentials_scopes": SCOPES, "delegated_scopes": SCOPES},
        ),
        files_sent_copies=st.booleans(),
        **SHARED,
    ),
)


@given(CONNECTORS, PROVIDERS | st.none())
@example(
    {"kind": "EmailConnector", "name": "x", "enable_mail_send_from": True, "smtp": {}},
    {"kind": "Provider", "name": "p"},
)
def test_a_connector_is_as_short_as_by_trial(
    written: dict[str, Any], provided: dict[str, Any] | None
) -> None:
    provider: Provider | None = None
    if provided is not None:
        provider = validator(Provider).validate_json(json.dumps(provided))
        assert by_concise(provider, None) == by_trial(provider, None)
    else:
        written = {key: item for key, item in written.items() if key != "provider"}
    connector = read(written, provider)
    assert connector is not None
    found = by_concise(connector, provider)
    assert found == by_trial(connector, provider)
    assert found is None or list(found) == list(by_trial(connector, provider) or ())


@given(snapshots(), st.sampled_from([None, *built_in_providers()]))
def test_every_resource_is_as_short_as_by_trial(
    stored: Snapshot, provider: Provider | None
) -> None:
    for resource in stored.resources:
        assert by_concise(resource, provider) == by_trial(resource, provider)


@pytest.mark.parametrize("provider", built_in_providers(), ids=lambda item: item.name)
def test_values_from_any_built_in_provider_are_omitted(provider: Provider) -> None:
    for sends in (True, False):
        document: Written = {
            "kind": "EmailConnector",
            "name": "x",
            "provider": provider.name,
            "enable_mail_send_from": sends,
            "imap": {"username": "x@one.example", "password": "env:X"},
        }
        connector = read(document, provider)
        assert connector is not None
        assert by_concise(connector, provider) == by_trial(connector, provider)


@given(CONNECTORS, CONNECTORS, PROVIDERS | st.none())
def test_a_changed_document_keeps_what_it_would_keep_by_trial(
    written: dict[str, Any], other: dict[str, Any], provided: dict[str, Any] | None
) -> None:
    provider: Provider | None = None
    if provided is not None:
        provider = validator(Provider).validate_json(json.dumps(provided))
    changed = {**written, **{name: other[name] for name in list(other)[::2]}}
    if provider is None:
        written = {name: item for name, item in written.items() if name != "provider"}
        changed.pop("provider")
    connector = read(changed, provider)
    assert isinstance(connector, Connector)
    workshop = Workshop(Variables(), {"p": provider} if provider is not None else {})
    found = shortest(workshop, written, Wanted(connector))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_with_few_fields", lambda *_: None)
        expected = shortest(workshop, written, Wanted(connector))
    assert json.dumps(found) == json.dumps(expected)
