"""From documents to resolved values, filled in from a provider, defaults or the other account.

Every function here is pure. Missing values stay None, which is valid only in a draft; the
checks report them elsewhere.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeGuard

from msgspec import Struct

from reconciler.model.connector import (
    Connector,
    Grant,
    MailServer,
    OAuth2,
    Security,
    SmtpSignIn,
)
from reconciler.model.connector_document import ImapSettings, SmtpSettings
from reconciler.model.domain import is_valid
from reconciler.model.fields import ADDRESS_PATTERN, HOST_PATTERN
from reconciler.model.secret_ref import SecretRef
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.model.connector_document import ConnectorDocument
    from reconciler.model.provider import OAuth2Defaults, Provider, ServerDefaults

ProtocolSettings = ImapSettings | SmtpSettings

IMPLICIT_PORTS: Final = frozenset({993, 465})
"""Where "Use SSL" means TLS from the first byte (RFC 8314 section 3)."""
STARTTLS_PORTS: Final = frozenset({143, 587, 25, 2525})
"""Where "Use SSL" means an upgrade, which is mandatory here."""

FROM_PROVIDER: Final = (
    "ca_file",
    "ehlo_name",
    "timeout_seconds",
    "max_connections",
    "mails_per_minute",
)
"""Fields that a connector sets, or else takes from its provider."""

TENANT: Final = "{tenant}"

_HOST: Final = re.compile(HOST_PATTERN.removeprefix("^").removesuffix("$"))
_ADDRESS: Final = re.compile(ADDRESS_PATTERN.removeprefix("^").removesuffix("$"))


class WrittenCredentials(Struct, frozen=True):
    """How to sign in, as written."""

    username: str | None = None
    password: SecretRef | None = None
    oauth2: OAuth2 | None = None


_NONE: Final = WrittenCredentials()

SignIn = WrittenCredentials | ProtocolSettings
"""What says how to sign in: an account's settings do, besides what else they say."""


def says_how_to_sign_in(account: ProtocolSettings | None) -> bool:
    """Whether an account has credentials of its own."""
    return account is not None and (
        account.username is not None or account.password is not None or account.oauth2 is not None
    )


def build_connector(document: ConnectorDocument, provider: Provider | None) -> Connector:
    """Fill in everything that is known."""
    imap, smtp = document.imap, smtp_of(document, provider)
    same = uses_same_credentials(document)
    sends = document.enable_mail_send_from
    return Connector(
        name=document.name,
        display_name=document.display_name or document.name,
        provider=document.provider,
        imap=_server(document, imap, imap, provider) if imap else None,
        enable_mail_send_from=sends,
        smtp=_server(document, smtp, (imap if same else smtp) or _NONE, provider) if smtp else None,
        email_address=email_address_of(document) if sends else None,
        from_name=document.from_name if sends else None,
        reply_to=document.reply_to if sends else None,
        test_recipient=document.test_recipient if sends else None,
        depth=document.depth,
        **_of_either(document, provider),
        also_sends_as=document.also_sends_as if sends else (),
        use_same_credentials=same and smtp is not None,
        sent_folder=document.sent_folder,
        save_sent=document.save_sent,
        files_sent_copies=provider is not None and provider.files_sent_copies,
        labels=document.labels,
        draft=document.draft,
        prevent_destroy=document.prevent_destroy,
    )


_FROM_PROVIDER: Final = attrgetter(*FROM_PROVIDER)


def _of_either(document: ConnectorDocument, provider: Provider | None) -> dict[str, Any]:
    """The fields that a connector has of its own, else from its provider."""
    own = dict(zip(FROM_PROVIDER, _FROM_PROVIDER(document), strict=True))
    if provider is None:
        return own
    return {
        name: getattr(provider, name) if value is None else value for name, value in own.items()
    }


def shown_to_servers(
    document: ConnectorDocument, provider: Provider | None
) -> tuple[SecretRef | None, SecretRef | None]:
    """The client certificate and its key, both from the same place."""
    source = document if provider is None or document.client_certificate is not None else provider
    return source.client_certificate, source.client_key


def smtp_of(document: ConnectorDocument, provider: Provider | None) -> SmtpSettings | None:
    """The SMTP account that is used: none without ``enable_mail_send_from``.

    An empty ``smtp:`` is unnecessary if the provider knows the server.
    """
    if not document.enable_mail_send_from:
        return None
    if document.smtp is None and provider is not None and provider.smtp is not None:
        return SmtpSettings()
    return document.smtp


class Accounts(Protocol):
    """What is written about the accounts of a connector, as in its document."""

    @property
    def imap(self) -> ImapSettings | None:
        """How mail is read."""

    @property
    def smtp(self) -> SmtpSettings | None:
        """How mail is sent."""


def uses_same_credentials(document: Accounts) -> bool:
    """Whether SMTP signs in as IMAP does: as declared, else if only IMAP has credentials."""
    if document.smtp is not None and document.smtp.sign_in is SmtpSignIn.NONE:
        return False
    if document.smtp is not None and document.smtp.use_same_credentials is not None:
        return document.smtp.use_same_credentials
    return says_how_to_sign_in(document.imap) and not says_how_to_sign_in(document.smtp)


def email_address_of(document: Accounts) -> str | None:
    """The address that the connector sends as: as declared, else a username that is an address."""
    if document.smtp is not None and document.smtp.email_address is not None:
        return document.smtp.email_address
    usernames = (account.username for account in (document.smtp, document.imap) if account)
    return next((name for name in usernames if _is_address(name)), None)


def domain_of(document: ConnectorDocument) -> str | None:
    """The domain that a provider's server may depend on.

    That of the first user name that is an address, IMAP's before SMTP's, else of ``email_address``; None
    if that cannot be part of a host name.
    """
    usernames = [account.username for account in (document.imap, document.smtp) if account]
    names = (*usernames, email_address_of(document))
    address = next((name for name in names if _is_address(name)), None)
    domain = address.rpartition("@")[2] if address else ""
    return domain if _HOST.fullmatch(domain) and is_valid(domain) else None


def _is_address(username: str | None) -> TypeGuard[str]:
    """Whether mail could go out as the user name; not as a reference or a pattern."""
    if username is None or "*" in username or SecretRef.found_in(username) is not None:
        return False
    return _ADDRESS.fullmatch(username) is not None


def defaults_of(provider: Provider | None, account: ProtocolSettings) -> ServerDefaults | None:
    """What a provider fills in for an account."""
    if provider is None:
        return None
    return provider.imap if isinstance(account, ImapSettings) else provider.smtp


def port_of(account: ProtocolSettings, defaults: ServerDefaults | None) -> int | None:
    """The port that is used."""
    return account.port if account.port is not None or defaults is None else defaults.port


def security_of(account: ProtocolSettings, defaults: ServerDefaults | None) -> Security | None:
    """How the connection is protected.

    None if undeclared or ambiguous. "Use SSL" means two modes, which the port distinguishes. A
    provider's mode applies to the provider's port only.
    """
    port = port_of(account, defaults)
    known = defaults.security if defaults is not None and port == defaults.port else None
    if account.security is not None:
        return account.security
    if account.use_ssl is None:
        return known
    if not account.use_ssl:
        return Security.NONE
    if port in IMPLICIT_PORTS:
        return Security.IMPLICIT
    if port in STARTTLS_PORTS:
        return Security.STARTTLS
    return known if known is not Security.NONE else None


def _server(
    document: ConnectorDocument,
    account: ProtocolSettings,
    credentials: SignIn,
    provider: Provider | None,
) -> MailServer:
    defaults = defaults_of(provider, account)
    certificate, key = shown_to_servers(document, provider)
    username = credentials.username
    written = SecretRef.found_in(username) is None
    if username and written and defaults:
        username = defaults.username_form.of(username)
    return MailServer(
        server=account.server
        if account.server is not None or defaults is None
        else defaults.server_for(domain_of(document)),
        port=port_of(account, defaults),
        security=security_of(account, defaults),
        allow_cleartext_auth=account.allow_cleartext_auth,
        sign_in=account.sign_in if isinstance(account, SmtpSettings) else None,
        username=username,
        password=credentials.password,
        oauth2=resolve_oauth2(credentials, provider.oauth2 if provider else None),
        client_certificate=certificate,
        client_key=key,
    )


def resolve_oauth2(credentials: SignIn, defaults: OAuth2Defaults | None) -> OAuth2 | None:
    """Fill in token endpoint and scopes; a service account acts for the mailbox it signs in to."""
    oauth2 = credentials.oauth2
    if oauth2 is None:
        return None
    known = SecretRef.found_in(credentials.username) is None
    if oauth2.grant is Grant.JWT_BEARER and oauth2.subject is None and known:
        oauth2 = replace(oauth2, subject=credentials.username)
    if defaults is None:
        return oauth2
    endpoint, scopes = oauth2.token_endpoint, oauth2.scopes
    if endpoint is None and (oauth2.tenant or TENANT not in defaults.token_endpoint):
        endpoint = defaults.token_endpoint.replace(TENANT, oauth2.tenant or "")
    if not scopes:
        alone = oauth2.grant is not Grant.REFRESH_TOKEN and defaults.client_credentials_scopes
        scopes = alone or defaults.delegated_scopes
    return replace(oauth2, token_endpoint=endpoint, scopes=scopes)
