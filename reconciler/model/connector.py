"""The email connector: as written in a document, and resolved, with every omitted field filled in."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from reconciler.model.address import Address, Kind
from reconciler.model.depth import Depth
from reconciler.model.fields import (
    EmailAddress,
    Host,
    HttpsUrl,
    Label,
    Limit,
    Maybe,
    Name,
    Port,
    Principal,
    ProviderName,
    Reference,
    Seconds,
    Text,
    Username,
)
from reconciler.model.secret_ref import SecretRef

STRICT = ConfigDict(extra="forbid", strict=True)
"""Refuses unknown fields and conversions.

Read documents as JSON (``TypeAdapter.validate_json``): the published schemas describe that data model, and
only there does strict mode accept a list for a tuple and a string for an enumeration member.
"""


class Security(StrEnum):
    """How a connection is encrypted (RFC 8314)."""

    IMPLICIT = "implicit"
    """TLS from the first byte."""
    STARTTLS = "starttls"
    """TLS after a mandatory upgrade; a session never continues without it."""
    NONE = "none"
    """Plain text."""


class SmtpSignIn(StrEnum):
    """How SMTP signs in, if its credential does not say."""

    NONE = "none"
    """No sign-in: the server accepts mail by network."""


class SaveSent(StrEnum):
    """Whether a copy of a sent mail is filed in the account's Sent folder."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Grant(StrEnum):
    """How an OAuth 2.0 token is obtained (RFC 6749, RFC 7523)."""

    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant
    JWT_BEARER = "jwt_bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2:
    """How to obtain an OAuth 2.0 token to sign in with, instead of a password.

    The token endpoint and the scopes come from the provider unless they are given.
    """

    __pydantic_config__ = STRICT

    grant: Annotated[Grant, Field(description="How the token is obtained.")]
    client_id: Annotated[Maybe[Text], Field(description="The application's (client) id.")] = None
    tenant: Annotated[Maybe[Text], Field(description="Microsoft Entra tenant id or domain.")] = None
    token_endpoint: Annotated[Maybe[HttpsUrl], Field(description="Where tokens are issued.")] = None
    scopes: Annotated[tuple[Text, ...], Field(description="The scopes to request.")] = ()
    client_secret: Annotated[
        Maybe[Reference], Field(description="Reference to the client secret.")
    ] = None
    certificate: Annotated[
        Maybe[Reference],
        Field(description="Reference to a PEM certificate and key, instead of a client secret."),
    ] = None
    refresh_token: Annotated[
        Maybe[Reference], Field(description="Reference to a refresh token.")
    ] = None
    service_account_key: Annotated[
        Maybe[Reference], Field(description="Reference to a service account's JSON key (Google).")
    ] = None
    subject: Annotated[
        Maybe[Principal], Field(description="The mailbox that a service account acts for.")
    ] = None

    @property
    def references(self) -> tuple[SecretRef, ...]:
        """Every secret needed to obtain a token, in the order of declaration."""
        found = (self.client_secret, self.certificate, self.refresh_token, self.service_account_key)
        return tuple(reference for reference in found if reference is not None)


# --- as written -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapSettings:
    """The IMAP settings, as written."""

    __pydantic_config__ = STRICT

    server: Annotated[Maybe[Host], Field(description="IMAP server.")] = None
    port: Annotated[Maybe[Port], Field(description="IMAP server port.")] = None
    use_ssl: Annotated[
        Maybe[bool],
        Field(description="Use SSL: implicit TLS on 993, mandatory STARTTLS on 143."),
    ] = None
    security: Annotated[
        Maybe[Security],
        Field(description="Instead of use_ssl: implicit, starttls or none."),
    ] = None
    allow_cleartext_auth: Annotated[
        bool, Field(description="Allow the password to leave this machine without TLS.")
    ] = False
    username: Annotated[
        Maybe[Username], Field(description="Username or email, or a reference to it.")
    ] = None
    password: Annotated[
        Maybe[Reference], Field(description="A reference such as env:NAME, never a value.")
    ] = None
    oauth2: Annotated[Maybe[OAuth2], Field(description="OAuth 2.0 instead of a password.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """The SMTP settings, as written."""

    __pydantic_config__ = STRICT

    server: Annotated[Maybe[Host], Field(description="SMTP server.")] = None
    port: Annotated[Maybe[Port], Field(description="SMTP server port.")] = None
    use_ssl: Annotated[
        Maybe[bool],
        Field(description="Use SSL: implicit TLS on 465, mandatory STARTTLS on 587, 25 and 2525."),
    ] = None
    security: Annotated[
        Maybe[Security],
        Field(description="Instead of use_ssl: implicit, starttls or none."),
    ] = None
    allow_cleartext_auth: Annotated[
        bool, Field(description="Allow the password to leave this machine without TLS.")
    ] = False
    sign_in: Annotated[
        Maybe[SmtpSignIn],
        Field(description="none: the server takes mail from this network without a sign-in."),
    ] = None
    email_address: Annotated[
        Maybe[EmailAddress],
        Field(description="The address that the connector sends as, and test mail goes to."),
    ] = None
    use_same_credentials: Annotated[
        Maybe[bool], Field(description="Use the same credentials as for IMAP.")
    ] = None
    username: Annotated[
        Maybe[Username],
        Field(description="SMTP username, if not the same, or a reference to it."),
    ] = None
    password: Annotated[
        Maybe[Reference], Field(description="A reference such as env:NAME, never a value.")
    ] = None
    oauth2: Annotated[Maybe[OAuth2], Field(description="OAuth 2.0 instead of a password.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorDocument:
    """A document of kind EmailConnector, as written; a provider may fill in missing fields."""

    __pydantic_config__ = STRICT

    kind: Literal["EmailConnector"]
    name: Annotated[Name, Field(description="Stable identifier.")]
    display_name: Annotated[
        Maybe[Text], Field(description="What plans and lists call it; no mail shows it.")
    ] = None
    from_name: Annotated[Maybe[Text], Field(description="The name beside the address in From.")] = (
        None
    )
    reply_to: Annotated[
        Maybe[EmailAddress], Field(description="Where answers go, unless the mail says otherwise.")
    ] = None
    provider: Annotated[
        Maybe[ProviderName], Field(description="Fills in servers, ports, TLS and OAuth endpoints.")
    ] = None
    imap: Annotated[Maybe[ImapSettings], Field(description="How to read the mailbox.")] = None
    enable_mail_send_from: Annotated[
        bool, Field(description="Whether mail may be sent through this connector.")
    ] = False
    smtp: Annotated[Maybe[SmtpSettings], Field(description="How to send mail.")] = None
    also_sends_as: Annotated[
        tuple[EmailAddress, ...],
        Field(description="Further addresses to send as; *@domain stands for a whole domain."),
    ] = ()
    test_recipient: Annotated[
        Maybe[EmailAddress],
        Field(description="Whom live tests address, if the address itself has no mailbox."),
    ] = None
    depth: Annotated[
        Maybe[Depth], Field(description="The last stage that live tests of this connector reach.")
    ] = None
    ca_file: Annotated[
        Maybe[Text], Field(description="PEM file with further authorities to trust.")
    ] = None
    client_certificate: Annotated[
        Maybe[Reference],
        Field(description="Reference to the PEM certificate that servers are shown, with its key."),
    ] = None
    client_key: Annotated[
        Maybe[Reference],
        Field(description="Reference to the PEM key, if client_certificate does not hold it."),
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
    sent_folder: Annotated[
        Maybe[Text], Field(description="The folder for sent copies, if it cannot be found.")
    ] = None
    save_sent: Annotated[SaveSent, Field(description="Whether sent copies are filed.")] = (
        SaveSent.AUTO
    )
    labels: Annotated[tuple[Label, ...], Field(description="Words to select connectors by.")] = ()
    draft: Annotated[
        bool, Field(description="Incomplete on purpose: stored, never tested, never used.")
    ] = False
    prevent_destroy: Annotated[
        bool, Field(description="Refuse to delete it; to lift this, apply false first.")
    ] = False
    renamed_from: Annotated[
        Maybe[Name], Field(description="The former name; history and permissions carry over.")
    ] = None


# --- resolved -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The resolved settings of one account of a connector.

    Only a draft may lack ``server``, ``port``, ``security``, ``username`` or a credential; at most
    one of the two credentials is set. With ``sign_in`` none there is neither a user nor a
    credential.
    """

    __pydantic_config__ = STRICT

    server: str | None = None
    port: int | None = None
    security: Security | None = None
    allow_cleartext_auth: bool = False
    sign_in: SmtpSignIn | None = None
    username: str | None = None
    password: Reference | None = None
    oauth2: OAuth2 | None = None
    client_certificate: Reference | None = None
    client_key: Reference | None = None

    @property
    def references(self) -> tuple[SecretRef, ...]:
        """Every secret needed to sign in, in the order of declaration."""
        own = tuple(ref for ref in (self.username_reference, self.password) if ref is not None)
        shown = (self.client_certificate, self.client_key)
        return (
            *own,
            *(self.oauth2.references if self.oauth2 is not None else ()),
            *(ref for ref in shown if ref is not None),
        )

    @property
    def username_reference(self) -> SecretRef | None:
        """Where the user name is kept, if ``username`` is a reference."""
        return SecretRef.found_in(self.username)

    @property
    def complete(self) -> bool:
        """Whether the settings suffice to connect, and to sign in if a sign-in is configured."""
        if None in (self.server, self.port, self.security):
            return False
        return not self.signs_in or (
            self.username is not None and (self.password is not None or self.oauth2 is not None)
        )

    @property
    def signs_in(self) -> bool:
        """Whether a user and a credential are sent at all."""
        return self.sign_in is not SmtpSignIn.NONE


ANY_LOCAL_PART: Final = "*"
"""Stands for every address of a domain, as in ``*@shop.example``."""

UNTESTED: Final = MappingProxyType({"tested": False})
"""Marks a field that no live test depends on, such as the display name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A resolved connector, as it is planned, stored and used; nothing is left to look up.

    ``imap`` is None where mail is only sent, ``smtp`` where it is only read. A field that no live test
    depends on is marked as :data:`UNTESTED`; a new field counts as tested until somebody marks it.
    """

    __pydantic_config__ = STRICT

    name: str = field(metadata=UNTESTED)
    display_name: str = field(metadata=UNTESTED)
    provider: str | None = field(default=None, metadata=UNTESTED)
    imap: MailServer | None = None
    enable_mail_send_from: bool = False
    smtp: MailServer | None = None
    email_address: str | None = None
    also_sends_as: tuple[str, ...] = ()
    from_name: str | None = field(default=None, metadata=UNTESTED)
    reply_to: str | None = field(default=None, metadata=UNTESTED)
    test_recipient: str | None = None
    depth: Depth | None = None
    ca_file: str | None = None
    ehlo_name: str | None = None
    timeout_seconds: int | None = None
    max_connections: int | None = field(default=None, metadata=UNTESTED)
    mails_per_minute: int | None = field(default=None, metadata=UNTESTED)
    use_same_credentials: bool = field(default=False, metadata=UNTESTED)
    sent_folder: str | None = None
    save_sent: SaveSent = SaveSent.AUTO
    files_sent_copies: bool = False
    labels: tuple[str, ...] = field(default=(), metadata=UNTESTED)
    draft: bool = False
    prevent_destroy: bool = field(default=False, metadata=UNTESTED)

    @property
    def address(self) -> Address:
        """``EmailConnector.name``."""
        return Address(Kind.EMAIL_CONNECTOR, self.name)

    @property
    def tested(self) -> tuple[object, ...]:
        """Everything that a live test depends on: while it is equal, a result stays valid."""
        return tuple(getattr(self, name) for name in TESTED_FIELDS)

    @property
    def can_send(self) -> bool:
        """Whether it can send mail at all, for any user."""
        return self.enable_mail_send_from and not self.draft and self.smtp is not None

    @property
    def references(self) -> tuple[SecretRef, ...]:
        """Every secret that it uses, each once, in the order of first use."""
        servers = (self.imap, self.smtp if self.enable_mail_send_from else None)
        found = (ref for server in servers if server is not None for ref in server.references)
        return tuple(dict.fromkeys(found))

    @property
    def refresh_tokens(self) -> frozenset[SecretRef]:
        """Those of its references whose secret may be replaced by use."""
        grants = (server.oauth2 for server in (self.imap, self.smtp) if server is not None)
        found = (oauth2.refresh_token for oauth2 in grants if oauth2 is not None)
        return frozenset(reference for reference in found if reference is not None)


TESTED_FIELDS: Final = tuple(
    item.name for item in fields(Connector) if item.metadata.get("tested", True)
)
"""The fields whose change requires a new live test, for the plan, the state and the record of tests."""
