"""Which fields of a connector's document may be omitted because they are filled in identically.

Each answer comes from the function in :mod:`reconciler.config.build` that fills in the field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.config.build import (
    FROM_PROVIDER,
    ProtocolSettings,
    WrittenCredentials,
    defaults_of,
    domain_of,
    email_address_of,
    port_of,
    resolve_oauth2,
    security_of,
    shown_to_servers,
    uses_same_credentials,
)
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.connector_document import ConnectorDocument, ImapSettings, SmtpSettings
    from reconciler.model.provider import OAuth2Defaults, Provider

Path = tuple[str, ...]


class _Accounts(Struct, frozen=True):
    """Implements :class:`reconciler.config.build.Accounts` for a part of a document."""

    imap: ImapSettings | None
    smtp: SmtpSettings | None


def filled_in(document: ConnectorDocument, provider: Provider | None) -> Iterator[Path]:
    """The fields that can be omitted together from a document with all values."""
    if document.display_name == document.name:
        yield ("display_name",)
    if document.imap is not None:
        yield from _account("imap", document.imap, document, provider)
    if document.smtp is not None:
        yield from _account("smtp", document.smtp, document, provider)
        yield from _smtp_alone(document.smtp, document)
    yield from _certificate(document, provider)
    if provider is not None:
        for name in FROM_PROVIDER:
            own = getattr(document, name)
            if own is not None and own == getattr(provider, name):
                yield (name,)


def _account(
    side: str, account: ProtocolSettings, document: ConnectorDocument, provider: Provider | None
) -> Iterator[Path]:
    defaults = defaults_of(provider, account)
    if defaults is not None:
        if account.server is not None and account.server == defaults.server_for(
            domain_of(document)
        ):
            yield side, "server"
        bare = replace(account, use_ssl=None, security=None)
        if security_of(bare, defaults) == security_of(account, defaults):
            yield side, "use_ssl"
            yield side, "security"
        if port_of(replace(bare, port=None), defaults) == account.port:
            yield side, "port"
    if account.oauth2 is not None:
        for name in _oauth2(account, provider.oauth2 if provider is not None else None):
            yield side, "oauth2", name


def _oauth2(account: ProtocolSettings, defaults: OAuth2Defaults | None) -> Iterator[str]:
    written = account.oauth2
    if written is None:
        return
    bare = replace(written, token_endpoint=None, scopes=(), subject=None)
    found = resolve_oauth2(WrittenCredentials(account.username, None, bare), defaults)
    for name in ("token_endpoint", "scopes", "subject"):
        if getattr(found, name) == getattr(written, name):
            yield name


def _smtp_alone(smtp: SmtpSettings, document: ConnectorDocument) -> Iterator[Path]:
    if smtp.email_address is not None:
        without = _Accounts(document.imap, replace(smtp, email_address=None))
        if email_address_of(without) == smtp.email_address:
            yield "smtp", "email_address"
    if smtp.use_same_credentials is not None:
        without = _Accounts(document.imap, replace(smtp, use_same_credentials=None))
        if uses_same_credentials(without) == smtp.use_same_credentials:
            yield "smtp", "use_same_credentials"


def _certificate(document: ConnectorDocument, provider: Provider | None) -> Iterator[Path]:
    shown = shown_to_servers(document, provider)
    if document.client_certificate is not None:
        without = replace(document, client_certificate=None)
        if shown_to_servers(without, provider) == shown:
            yield ("client_certificate",)
            document = without
    if document.client_key is not None:
        without = replace(document, client_key=None)
        if shown_to_servers(without, provider) == shown:
            yield ("client_key",)
