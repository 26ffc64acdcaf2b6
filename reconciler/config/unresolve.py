"""The document for a resource: as short as possible with the same meaning.

A field is left out if the document without it is read back as the same resource: it has its default, or
:mod:`reconciler.config.filled_in` says that it is filled in.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, assert_never

from reconciler.config.build import IMPLICIT_PORTS, build_connector, defaults_of, security_of
from reconciler.config.documents import TYPES
from reconciler.config.filled_in import filled_in
from reconciler.errors import ReconcilerError
from reconciler.model.address import Kind
from reconciler.model.application import Application
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.connector_document import ConnectorDocument, ImapSettings, SmtpSettings
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.resource import JSON, Resource, to_plain
from reconciler.model.validators import Invalid, validated
from reconciler.values import field_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.documents import Document


Written = dict[str, JSON]
"""A document as YAML or JSON has it."""

_SPOKEN: Final = frozenset({"kind", "enabled"})
"""Fields that are written even if they equal the default, because readers expect them."""

WRITTEN_OTHERWISE: Final = frozenset({
    "name", "display_name", "provider", "imap", "enable_mail_send_from", "smtp",
    "email_address", "use_same_credentials", "files_sent_copies",
})  # fmt: skip
"""Fields of a connector that are elsewhere in its document, or absent."""

WRITTEN_ALIKE: Final = tuple(
    name for name in field_names(Connector) if name not in WRITTEN_OTHERWISE
)


def concise(resource: Resource, provider: Provider | None, renamed_from: str = "") -> Written:
    """Return the shortest document that reads back as the resource.

    ``provider`` is the one that a connector names. Raises ReconcilerError if there is no such
    document, because a connector has values that only an earlier version of its provider fills in.
    """
    found = without_needless(in_full(resource, provider), resource, provider)
    if renamed_from:
        head = {"kind": found["kind"], "name": found["name"]}
        found = {**head, "renamed_from": renamed_from, **found}
    return found


def without_needless(whole: Written, resource: Resource, provider: Provider | None) -> Written:
    """The shortest document, from the one with every field.

    Raises ReconcilerError as `concise` does.
    """
    document = _parsed(whole)
    if document is None or _resource(document, provider) != resource:
        raise ReconcilerError(
            f"{resource.address} cannot be written as a document",
            hint="Its provider has changed: run `reconciler plan` to see what differs, and "
            "apply that first.",
        )
    found = _without_defaults(whole, document)
    if isinstance(document, ConnectorDocument):
        for path in filled_in(document, provider):
            _leave_out(found, path)
        if not found.get("smtp", True) and provider is not None and provider.smtp is not None:
            del found["smtp"]
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
    for name in WRITTEN_ALIKE:
        value = getattr(connector, name)
        if value is not None:
            document[name] = to_plain(value)
    return _as_the_form_has_it(document, connector, provider)


def _client_certificate(connector: Connector) -> Written:
    """The client certificate of both accounts, which a document declares once."""
    servers = [item for item in (connector.imap, connector.smtp) if item is not None]
    found = {
        name: getattr(server, name)
        for server in servers
        for name in ("client_certificate", "client_key")
    }
    return {name: str(reference) for name, reference in found.items() if reference is not None}


def _account(server: MailServer) -> Written:
    plain = to_plain(server)
    shown = ("client_certificate", "client_key")
    return {k: v for k, v in plain.items() if k not in shown} if isinstance(plain, dict) else {}


def _as_the_form_has_it(
    document: Written, connector: Connector, provider: Provider | None
) -> Written:
    """Use ``use_ssl`` in place of ``security``, like the settings form, if it means the same."""
    for side, server in (("imap", connector.imap), ("smtp", connector.smtp)):
        account = document.get(side)
        if server is None or server.security is None or not isinstance(account, dict):
            continue
        switch = server.security is not Security.NONE
        if not switch and server.port in IMPLICIT_PORTS:
            continue  # the switch would contradict the port; the explicit mode does not
        settings = ImapSettings if side == "imap" else SmtpSettings
        with_switch = settings(port=server.port, use_ssl=switch)
        if security_of(with_switch, defaults_of(provider, with_switch)) is server.security:
            document[side] = {
                ("use_ssl" if name == "security" else name): (
                    switch if name == "security" else value
                )
                for name, value in account.items()
            }
    return document


def _parsed(document: Written) -> Document | None:
    try:
        return validated(TYPES[Kind(str(document["kind"]))], document)
    except Invalid:
        return None


def _resource(document: Document, provider: Provider | None) -> Resource:
    if isinstance(document, ConnectorDocument):
        return build_connector(document, provider)
    return document


def _without_defaults(written: Written, value: object) -> Written:
    """A document without the fields that have their default values."""
    defaults = defaults_of_fields(type(value))
    found: Written = {}
    for name, item in written.items():
        own = getattr(value, name)
        if name in _SPOKEN or own != defaults[name]:
            found[name] = _without_defaults(item, own) if isinstance(item, dict) else item
    return found


def defaults_of_fields(kind: type[Any]) -> dict[str, object]:
    """The default of each field; MISSING, which equals nothing else, where there is none."""
    known = _defaults_of.get(kind)
    if known is None:
        known = _defaults_of[kind] = {item.name: item.default for item in fields(kind)}
    return known


_defaults_of: dict[type[Any], dict[str, object]] = {}


def _leave_out(document: Written, path: tuple[str, ...]) -> None:
    *above, name = path
    inner: Any = document
    for step in above:
        inner = inner.get(step, {})
    inner.pop(name, None)


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
