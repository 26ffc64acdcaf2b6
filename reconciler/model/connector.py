"""The email connector, resolved: with every omitted field filled in."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

from reconciler.model.address import Address, Kind
from reconciler.model.depth import Depth
from reconciler.model.described import Described, DescribedEnum
from reconciler.model.fields import HttpsUrl, Maybe, Principal, Reference, Text
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from pydantic import ConfigDict

STRICT: Final[ConfigDict] = {"extra": "forbid", "strict": True}
"""Refuses unknown fields and conversions.

Read documents as JSON (``TypeAdapter.validate_json``): the published schemas describe that data model, and
only there does strict mode accept a list for a tuple and a string for an enumeration member.
"""


class Security(DescribedEnum):
    """How a connection is encrypted (RFC 8314)."""

    IMPLICIT = ("implicit", "TLS from the first byte, as on ports 993 and 465.")
    STARTTLS = (
        "starttls",
        "TLS after a mandatory STARTTLS, as on 143, 587 and 25; a session never goes on without it.",
    )
    NONE = ("none", "Plain text. A password then also needs `allow_cleartext_auth: true`.")


class SmtpSignIn(DescribedEnum):
    """How SMTP signs in, if its credential does not say."""

    NONE = ("none", "No sign-in: the server takes mail from this network.")


class SaveSent(DescribedEnum):
    """Whether a copy of a sent mail is filed in the account's Sent folder."""

    AUTO = (
        "auto",
        "File a copy unless the provider files one itself or it is in the folder already.",
    )
    ALWAYS = ("always", "File a copy of every mail, though the provider may file one too.")
    NEVER = ("never", "File no copy.")


class Grant(DescribedEnum):
    """How an OAuth 2.0 token is obtained (RFC 6749, RFC 7523)."""

    CLIENT_CREDENTIALS = (
        "client_credentials",
        "The application signs in as itself; needs `client_secret` or `certificate`.",
    )
    REFRESH_TOKEN = (
        "refresh_token",
        "A person agreed once; needs `refresh_token`, which `reconciler login` obtains.",
    )
    JWT_BEARER = (
        "jwt_bearer",
        "A service account acts for `subject` (Google); needs `service_account_key`.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2:
    """How to obtain an OAuth 2.0 token to sign in with, instead of a password.

    The token endpoint and the scopes come from the provider unless they are given.
    """

    __pydantic_config__ = STRICT

    grant: Annotated[Grant, Described(title="Grant type", description="How the token is obtained.")]
    client_id: Annotated[
        Maybe[Text],
        Described(
            title="Client id",
            description="The id under which the application is registered with the provider.",
            examples=["2f6f3c0e-6b0c-4b53-9d0e-5f1f0c6c7a11"],
        ),
    ] = None
    tenant: Annotated[
        Maybe[Text],
        Described(
            title="Tenant",
            description="The Microsoft Entra tenant: its id, or a domain of it.",
            examples=["contoso.example"],
        ),
    ] = None
    token_endpoint: Annotated[
        Maybe[HttpsUrl],
        Described(
            title="Token endpoint",
            description="The URL that issues tokens. A provider fills it in.",
            examples=["https://login.contoso.example/oauth2/token"],
        ),
    ] = None
    scopes: Annotated[
        tuple[Text, ...],
        Described(
            title="Scopes",
            description="The scopes to request. Empty: those of the provider.",
            examples=[["https://outlook.office365.com/.default"]],
        ),
    ] = ()
    client_secret: Annotated[
        Maybe[Reference],
        Described(
            title="Client secret",
            description="Reference to the application's secret.",
            examples=["env:SUPPORT_CLIENT_SECRET"],
        ),
    ] = None
    certificate: Annotated[
        Maybe[Reference],
        Described(
            title="Certificate",
            description="Reference to a PEM certificate with its key, instead of a client secret.",
            examples=["file:/run/secrets/support.pem"],
        ),
    ] = None
    refresh_token: Annotated[
        Maybe[Reference],
        Described(
            title="Refresh token",
            description="Reference to a refresh token. `reconciler login` obtains one.",
            examples=["file:/run/secrets/support-token", "keyring:mail/support"],
        ),
    ] = None
    service_account_key: Annotated[
        Maybe[Reference],
        Described(
            title="Service account key",
            description="Reference to the JSON key of a Google service account.",
            examples=["file:/run/secrets/mail-key.json"],
        ),
    ] = None
    subject: Annotated[
        Maybe[Principal],
        Described(
            title="Subject",
            description="The mailbox that the service account acts for.",
            examples=["support@contoso.example"],
        ),
    ] = None

    @property
    def references(self) -> tuple[SecretRef, ...]:
        """Every secret needed to obtain a token, in the order of declaration."""
        found = (self.client_secret, self.certificate, self.refresh_token, self.service_account_key)
        return tuple(reference for reference in found if reference is not None)


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
        found = [self.username_reference, self.password]
        if self.oauth2 is not None:
            found += self.oauth2.references
        found += (self.client_certificate, self.client_key)
        return tuple([reference for reference in found if reference is not None])

    @property
    def username_reference(self) -> SecretRef | None:
        """The reference to the user name, if ``username`` is one."""
        return SecretRef.found_in(self.username)

    @property
    def complete(self) -> bool:
        """Whether the settings suffice to connect, and to sign in if a sign-in is configured."""
        if self.server is None or self.port is None or self.security is None:
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

    ``imap`` is None if mail is only sent, ``smtp`` if it is only read. A field that no live test
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
    def routed(self) -> tuple[object, ...]:
        """Everything of it that routing depends on: while it is equal, nobody's mail takes another route."""
        return self.name, self.can_send, self.email_address, self.also_sends_as

    @property
    def references(self) -> tuple[SecretRef, ...]:
        """Every secret that it uses, each once, in the order of first use."""
        imap = self.imap.references if self.imap is not None else ()
        smtp = self.smtp if self.enable_mail_send_from else None
        of_smtp = smtp.references if smtp is not None else ()
        return tuple(dict.fromkeys((*imap, *of_smtp)))

    @property
    def refresh_tokens(self) -> frozenset[SecretRef]:
        """The references whose secret may be replaced when used."""
        grants = (server.oauth2 for server in (self.imap, self.smtp) if server is not None)
        found = (oauth2.refresh_token for oauth2 in grants if oauth2 is not None)
        return frozenset(reference for reference in found if reference is not None)


TESTED_FIELDS: Final = tuple(
    item.name for item in fields(Connector) if item.metadata.get("tested", True)
)
"""The fields whose change requires a new live test, for the plan, the state and the record of tests."""
