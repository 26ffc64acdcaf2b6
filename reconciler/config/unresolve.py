"""The document for a resource: as short as possible with the same meaning.

Nothing here knows which field which provider fills in. A field is left out if the document without
it is read back as the same resource, so what is left out is what would have been filled in.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, assert_never

from reconciler.config.build import IMPLICIT_PORTS, build_connector
from reconciler.config.documents import TYPES
from reconciler.errors import ReconcilerError
from reconciler.model.address import Kind
from reconciler.model.application import Application
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.resource import JSON, Resource, to_plain
from reconciler.model.validators import Invalid, validated

if TYPE_CHECKING:
    from collections.abc import Iterator


Written = dict[str, JSON]
"""A document as YAML or JSON has it."""

_SPOKEN: Final = frozenset({"enabled"})
"""Fields that are written even if they equal the default, because readers expect them."""


_WRITTEN_OTHERWISE: Final = frozenset({
    "name", "display_name", "provider", "imap", "enable_mail_send_from", "smtp",
    "email_address", "use_same_credentials", "files_sent_copies",
})  # fmt: skip
"""Fields of a connector that have another place in its document, or none."""


def concise(resource: Resource, provider: Provider | None, renamed_from: str = "") -> Written:
    """Return the shortest document that reads back as the resource.

    ``provider`` is the one that a connector names. Raises ReconcilerError if there is no such
    document, because a connector holds what only an earlier version of its provider fills in.
    """
    found = in_full(resource, provider)
    if _read(found, provider) != resource:
        raise ReconcilerError(
            f"{resource.address} cannot be written as a document",
            hint="Its provider has changed: run `reconciler plan` to see what differs, and "
            "apply that first.",
        )
    for path in tuple(paths_of(found)):
        shorter = without(found, path)
        if path[-1] not in _SPOKEN and _read(shorter, provider) == resource:
            found = shorter
    if renamed_from:
        head = {"kind": found["kind"], "name": found["name"]}
        found = {**head, "renamed_from": renamed_from, **found}
    return found


def in_full(resource: Resource, provider: Provider | None) -> Written:
    """The document for a resource with every field, what a provider fills in too."""
    match resource:
        case Connector():
            return _connector(resource, provider)
        case Permissions() | GlobalSmtpPolicy() | Group() | Roles() | Provider() | Application():
            plain = to_plain(resource)
            if not isinstance(plain, dict):
                raise TypeError(f"not a resource: {type(resource).__name__}")
            return plain
        case _:
            assert_never(resource)


def _connector(connector: Connector, provider: Provider | None) -> Written:
    document: Written = {"kind": str(Kind.EMAIL_CONNECTOR), "name": connector.name}
    document["display_name"] = connector.display_name
    if connector.provider is not None:
        document["provider"] = connector.provider
    if connector.imap is not None:
        document["imap"] = _account(connector.imap)
    document["enable_mail_send_from"] = connector.enable_mail_send_from
    if connector.smtp is not None:
        smtp = _account(connector.smtp)
        if connector.email_address is not None:
            smtp["email_address"] = connector.email_address
        if connector.use_same_credentials:
            for field in ("username", "password", "oauth2"):
                smtp.pop(field, None)
        smtp["use_same_credentials"] = connector.use_same_credentials
        document["smtp"] = smtp
    document.update(_client_certificate(connector))
    for item in fields(Connector):
        value = to_plain(getattr(connector, item.name))
        if item.name not in _WRITTEN_OTHERWISE and value is not None:
            document[item.name] = value
    return _as_the_form_has_it(document, connector, provider)


def _client_certificate(connector: Connector) -> Written:
    """What both accounts show to their servers; a document says it once."""
    servers = [item for item in (connector.imap, connector.smtp) if item is not None]
    found = {
        name: getattr(server, name)
        for server in servers
        for name in ("client_certificate", "client_key")
    }
    return {name: str(reference) for name, reference in found.items() if reference is not None}


def _account(server: MailServer) -> Written:
    plain = to_plain(replace(server, client_certificate=None, client_key=None))
    return plain if isinstance(plain, dict) else {}


def _as_the_form_has_it(
    document: Written, connector: Connector, provider: Provider | None
) -> Written:
    """Say ``use_ssl`` in place of ``security``, as the settings form does, where it means the same."""
    for side in ("imap", "smtp"):
        account = document.get(side)
        if not isinstance(account, dict) or "security" not in account:
            continue
        switch = account["security"] != Security.NONE
        if not switch and account.get("port") in IMPLICIT_PORTS:
            continue  # the switch would contradict the port, and what is written out does not
        fields = {
            ("use_ssl" if name == "security" else name): (switch if name == "security" else value)
            for name, value in account.items()
        }
        other = {**document, side: fields}
        if _read(other, provider) == connector:
            document = other
    return document


def _read(document: Written, provider: Provider | None) -> Resource | None:
    try:
        value = validated(TYPES[Kind(str(document["kind"]))], document)
    except (KeyError, Invalid):  # something is left out that has to be there
        return None
    return build_connector(value, provider) if isinstance(value, ConnectorDocument) else value


def paths_of(document: Written, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field, those inside a mapping before the mapping itself."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from paths_of(value, (*before, name))
        yield (*before, name)


def without(document: Written, path: tuple[str, ...]) -> Written:
    """A copy of a document that lacks a field."""
    name, *rest = path
    inner: Any = document.get(name)
    if not rest:
        return {key: value for key, value in document.items() if key != name}
    return {**document, name: without(inner, tuple(rest))}
