"""Providers: named sets of server settings, built in or written by the user."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from reconciler.model.address import Address, Kind
from reconciler.model.connector import STRICT, Security
from reconciler.model.fields import (
    Host,
    HostGlob,
    HttpsUrl,
    IsoDate,
    Limit,
    Maybe,
    Port,
    ProviderName,
    Seconds,
    Text,
)


class UsernameForm(StrEnum):
    """The form of the user name that a server expects."""

    ADDRESS = "address"
    LOCAL_PART = "local_part"


class SignInMethod(StrEnum):
    """What a provider accepts as proof of identity."""

    PASSWORD = "password"  # noqa: S105 - the name of a method
    APP_PASSWORD = "app_password"  # noqa: S105 - the name of a method
    OAUTH2 = "oauth2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDefaults:
    """One protocol's settings at a provider."""

    __pydantic_config__ = STRICT

    server: Annotated[Host, Field(description="Host name.")]
    port: Annotated[Port, Field(description="TCP port.")]
    security: Annotated[Security, Field(description="implicit, starttls or none.")]
    username_form: Annotated[
        UsernameForm, Field(description="The whole address, or the part before the @.")
    ] = UsernameForm.ADDRESS
    sign_in: Annotated[
        tuple[SignInMethod, ...],
        Field(description="What this server accepts, if not what the provider accepts."),
    ] = ()
    password_until: Annotated[
        Maybe[IsoDate],
        Field(description="The day (ISO 8601) after which passwords are refused here."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Defaults:
    """The OAuth 2.0 endpoints of a provider; ``{tenant}`` stands for the connector's tenant."""

    __pydantic_config__ = STRICT

    token_endpoint: Annotated[HttpsUrl, Field(description="Where tokens are issued.")]
    client_credentials_scopes: Annotated[
        tuple[Text, ...], Field(description="Scopes to request for an application.")
    ] = ()
    delegated_scopes: Annotated[
        tuple[Text, ...], Field(description="Scopes to request on behalf of a user.")
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A document of kind Provider."""

    __pydantic_config__ = STRICT

    kind: Literal["Provider"] = "Provider"
    name: Annotated[ProviderName, Field(description="The name that connectors use.")]
    display_name: Annotated[Maybe[Text], Field(description="The name that people see.")] = None
    documentation: Annotated[
        Maybe[HttpsUrl], Field(description="The vendor's page of these settings.")
    ] = None
    domains: Annotated[
        tuple[HostGlob, ...],
        Field(description="Domains whose mailboxes are here; *. stands for any name below."),
    ] = ()
    mx: Annotated[
        tuple[HostGlob, ...],
        Field(
            description="Mail exchangers (MX) that tell that the mailboxes of a domain are here."
        ),
    ] = ()
    imap: Annotated[Maybe[ServerDefaults], Field(description="How to read mailboxes.")] = None
    smtp: Annotated[Maybe[ServerDefaults], Field(description="How to send mail.")] = None
    sign_in: Annotated[
        tuple[SignInMethod, ...],
        Field(description="What it accepts; empty: anything."),
    ] = ()
    oauth2: Annotated[Maybe[OAuth2Defaults], Field(description="OAuth 2.0 endpoints.")] = None
    files_sent_copies: Annotated[
        bool, Field(description="Whether the server files a copy of mail sent by SMTP in Sent.")
    ] = False

    ca_file: Annotated[
        Maybe[Text], Field(description="PEM file with further authorities to trust.")
    ] = None
    ehlo_name: Annotated[
        Maybe[Host], Field(description="The name that SMTP servers are greeted with (EHLO).")
    ] = None
    timeout_seconds: Annotated[
        Maybe[Seconds], Field(description="Deadline of a test, and of each command when sending.")
    ] = None
    max_connections: Annotated[
        Maybe[Limit],
        Field(description="Connections over which an account sends at the same time."),
    ] = None
    mails_per_minute: Annotated[
        Maybe[Limit], Field(description="Mails that an account sends within any 60 seconds.")
    ] = None

    @property
    def address(self) -> Address:
        """``Provider.name``."""
        return Address(Kind.PROVIDER, self.name)
