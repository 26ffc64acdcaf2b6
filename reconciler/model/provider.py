"""Providers: named sets of server settings, built in or written by the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, assert_never
from urllib.parse import urlsplit

from reconciler.model.address import Address, Kind
from reconciler.model.connection_fields import (
    CaFile,
    ClientCertificate,
    ClientKey,
    EhloName,
    MailsPerMinute,
    MaxConnections,
    TimeoutSeconds,
)
from reconciler.model.connector import STRICT, Security
from reconciler.model.described import Described, DescribedEnum
from reconciler.model.domain import domain_key
from reconciler.model.fields import (
    HostGlob,
    HttpsUrl,
    IsoDate,
    Maybe,
    Port,
    ProviderName,
    ServerOfProvider,
    Text,
)

DOMAIN: Final = "{domain}"
"""The placeholder for a connector's domain in a provider's server."""


class UsernameForm(DescribedEnum):
    """The form of the user name that a server expects."""

    ADDRESS = ("address", "The whole address, such as support@example.com.")
    LOCAL_PART = ("local_part", "The part before the @, such as support.")
    LOCAL_DOMAIN = (
        "local.domain",
        "The address with a dot in place of the @, such as support.example.com.",
    )

    def of(self, username: str) -> str:
        """The user name in this form; unchanged if it has no @."""
        match self:
            case UsernameForm.ADDRESS:
                return username
            case UsernameForm.LOCAL_PART:
                return username.partition("@")[0] or username
            case UsernameForm.LOCAL_DOMAIN:
                local, _, domain = username.rpartition("@")
                return f"{local}.{domain}" if local and domain else username
            case _:
                assert_never(self)


class SignInMethod(DescribedEnum):
    """What a provider accepts as proof of identity."""

    PASSWORD = ("password", "The password of the account.")
    APP_PASSWORD = (
        "app_password",
        "A password that the account's owner makes for one application.",
    )
    OAUTH2 = ("oauth2", "An OAuth 2.0 token (SASL XOAUTH2).")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDefaults:
    """One protocol's settings at a provider."""

    __pydantic_config__ = STRICT

    server: Annotated[
        ServerOfProvider,
        Described(
            title="Server",
            description="The host that mail programs connect to; `{domain}` stands for the domain of the connector.",
            examples=["imap.example.com", "mail.{domain}"],
        ),
    ]
    port: Annotated[
        Port,
        Described(
            title="Port",
            description="The TCP port: 993 or 143 for IMAP, 465 or 587 for SMTP.",
            examples=[993, 587],
        ),
    ]
    security: Annotated[
        Security, Described(title="Encryption", description="How the connection is encrypted.")
    ]
    username_form: Annotated[
        UsernameForm,
        Described(
            title="Form of the user name",
            description="The form of the user name that the server expects.",
        ),
    ] = UsernameForm.ADDRESS
    sign_in: Annotated[
        tuple[SignInMethod, ...],
        Described(
            title="Sign-in",
            description="What this server accepts, if not what the provider accepts.",
            examples=[["app_password"]],
        ),
    ] = ()
    other_names: Annotated[
        tuple[HostGlob, ...],
        Described(
            title="Other names",
            description="Further hosts of this kind, such as those of a region; `*.` matches every host below a domain.",
            examples=[["imap.example.net", "*.imap.example.com"]],
        ),
    ] = ()
    password_until: Annotated[
        Maybe[IsoDate],
        Described(
            title="Passwords until",
            description="The day after which this server refuses passwords (ISO 8601).",
            examples=["2026-12-31"],
        ),
    ] = None

    def server_for(self, domain: str | None) -> str | None:
        """The server of a connector's domain; None if it depends on an unknown domain."""
        if DOMAIN not in self.server:
            return self.server
        return self.server.replace(DOMAIN, domain) if domain else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Defaults:
    """The OAuth 2.0 endpoints of a provider; ``{tenant}`` stands for the connector's tenant."""

    __pydantic_config__ = STRICT

    token_endpoint: Annotated[
        HttpsUrl,
        Described(
            title="Token endpoint",
            description="The URL that issues tokens; `{tenant}` stands for the connector's tenant.",
            examples=["https://login.example.com/{tenant}/oauth2/v2.0/token"],
        ),
    ]
    client_credentials_scopes: Annotated[
        tuple[Text, ...],
        Described(
            title="Scopes of applications",
            description="The scopes to request for an application that signs in as itself.",
            examples=[["https://outlook.office365.com/.default"]],
        ),
    ] = ()
    delegated_scopes: Annotated[
        tuple[Text, ...],
        Described(
            title="Delegated scopes",
            description="The scopes to request on behalf of a person.",
            examples=[["https://mail.google.com/"]],
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A document of kind Provider."""

    __pydantic_config__ = STRICT

    kind: Literal["Provider"] = "Provider"
    name: Annotated[
        ProviderName,
        Described(
            title="Name", description="The name that connectors use.", examples=["contoso-mail"]
        ),
    ]
    display_name: Annotated[
        Maybe[Text],
        Described(
            title="Display name",
            description="The name that people see.",
            examples=["Contoso mail cluster"],
        ),
    ] = None
    documentation: Annotated[
        Maybe[HttpsUrl],
        Described(
            title="Documentation",
            description="The vendor's page about these settings.",
            examples=["https://mail.contoso.example/settings"],
        ),
    ] = None
    domains: Annotated[
        tuple[HostGlob, ...],
        Described(
            title="Domains",
            description="Domains whose mailboxes are here; `*.` stands for any name below.",
            examples=[["outlook.com", "*.outlook.com"]],
        ),
    ] = ()
    mx: Annotated[
        tuple[HostGlob, ...],
        Described(
            title="Mail exchangers",
            description="Mail exchangers (MX) that tell that the mailboxes of a domain are here.",
            examples=[["*.mail.protection.outlook.com"]],
        ),
    ] = ()
    imap: Annotated[
        Maybe[ServerDefaults],
        Described(
            title="IMAP server",
            description="How to read mailboxes.",
            examples=[{"server": "imap.example.com", "port": 993, "security": "implicit"}],
        ),
    ] = None
    smtp: Annotated[
        Maybe[ServerDefaults],
        Described(
            title="SMTP server",
            description="How to send mail.",
            examples=[{"server": "smtp.example.com", "port": 587, "security": "starttls"}],
        ),
    ] = None
    sign_in: Annotated[
        tuple[SignInMethod, ...],
        Described(
            title="Sign-in",
            description="What the servers accept. Empty: anything.",
            examples=[["app_password", "oauth2"]],
        ),
    ] = ()
    oauth2: Annotated[
        Maybe[OAuth2Defaults],
        Described(
            title="OAuth 2.0",
            description="The endpoint that issues tokens, and the scopes to request.",
            examples=[{"token_endpoint": "https://login.example.com/oauth2/token"}],
        ),
    ] = None
    files_sent_copies: Annotated[
        bool,
        Described(
            title="Files sent copies",
            description="Whether the server itself files a copy of mail that is sent by SMTP.",
        ),
    ] = False

    ca_file: CaFile = None
    client_certificate: ClientCertificate = None
    client_key: ClientKey = None
    ehlo_name: EhloName = None
    timeout_seconds: TimeoutSeconds = None
    max_connections: MaxConnections = None
    mails_per_minute: MailsPerMinute = None

    @property
    def hosts(self) -> frozenset[str]:
        """The fixed hosts that it lists, including its token endpoint's."""
        servers = [item.server for item in (self.imap, self.smtp) if item is not None]
        if self.oauth2 is not None:
            servers.append(urlsplit(self.oauth2.token_endpoint).hostname or "")
        return frozenset(domain_key(item) for item in servers if item and "{" not in item)

    @property
    def address(self) -> Address:
        """``Provider.name``."""
        return Address(Kind.PROVIDER, self.name)
