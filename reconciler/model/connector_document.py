"""The email connector as written in a document, with everything left out that a provider fills in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from reconciler.model.connection_fields import (
    CaFile,
    ClientCertificate,
    ClientKey,
    EhloName,
    MailsPerMinute,
    MaxConnections,
    TimeoutSeconds,
)
from reconciler.model.connector import STRICT, OAuth2, SaveSent, Security, SmtpSignIn
from reconciler.model.depth import Depth
from reconciler.model.described import Described
from reconciler.model.fields import (
    EmailAddress,
    Host,
    Label,
    Maybe,
    Name,
    Port,
    ProviderName,
    Reference,
    Text,
    Username,
)

_PASSWORD = Described(
    title="Password",
    description="Reference to the password, never the password itself.",
    examples=["env:SUPPORT_PASSWORD", "file:/run/secrets/support"],
)
_OAUTH2 = Described(
    title="OAuth 2.0",
    description="How to obtain a token to sign in with, instead of a password.",
    examples=[
        {
            "grant": "client_credentials",
            "tenant": "contoso.example",
            "client_id": "2f6f3c0e-6b0c-4b53-9d0e-5f1f0c6c7a11",
            "client_secret": "env:SUPPORT_CLIENT_SECRET",
        }
    ],
)
_SECURITY = Described(
    title="Encryption",
    description="How the connection is encrypted. Write it instead of `use_ssl`, for unusual ports.",
)
_ALLOW_CLEARTEXT_AUTH = Described(
    title="Allow clear-text sign-in",
    description="Let the password leave this machine without TLS. By default it never does.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapSettings:
    """The IMAP settings, as written."""

    __pydantic_config__ = STRICT

    server: Annotated[
        Maybe[Host],
        Described(
            title="IMAP server",
            description="The host that the mailbox is on. A provider fills it in.",
            examples=["imap.example.com", "outlook.office365.com"],
        ),
    ] = None
    port: Annotated[
        Maybe[Port],
        Described(
            title="IMAP server port",
            description="993 for implicit TLS, 143 for STARTTLS. A provider fills it in.",
            examples=[993, 143],
        ),
    ] = None
    use_ssl: Annotated[
        Maybe[bool],
        Described(
            title="Use SSL (IMAP)",
            description="Encrypt the connection: implicit TLS on 993, mandatory STARTTLS on 143.",
        ),
    ] = None
    security: Annotated[Maybe[Security], _SECURITY] = None
    allow_cleartext_auth: Annotated[bool, _ALLOW_CLEARTEXT_AUTH] = False
    username: Annotated[
        Maybe[Username],
        Described(
            title="Username or email",
            description="The name to sign in with, or a reference to it.",
            examples=["support@contoso.example", "env:SUPPORT_USER"],
        ),
    ] = None
    password: Annotated[Maybe[Reference], _PASSWORD] = None
    oauth2: Annotated[Maybe[OAuth2], _OAUTH2] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """The SMTP settings, as written."""

    __pydantic_config__ = STRICT

    server: Annotated[
        Maybe[Host],
        Described(
            title="SMTP server",
            description="The host that takes the mail. A provider fills it in.",
            examples=["smtp.example.com", "smtp.office365.com"],
        ),
    ] = None
    port: Annotated[
        Maybe[Port],
        Described(
            title="SMTP server port",
            description="465 for implicit TLS, 587 or 25 for STARTTLS. A provider fills it in.",
            examples=[587, 465],
        ),
    ] = None
    use_ssl: Annotated[
        Maybe[bool],
        Described(
            title="Use SSL (SMTP)",
            description="Encrypt the connection: implicit TLS on 465, mandatory STARTTLS on 587, 25 and 2525.",
        ),
    ] = None
    security: Annotated[Maybe[Security], _SECURITY] = None
    allow_cleartext_auth: Annotated[bool, _ALLOW_CLEARTEXT_AUTH] = False
    sign_in: Annotated[
        Maybe[SmtpSignIn],
        Described(
            title="Sign-in",
            description="Write `none` for a server that takes mail from this network without a sign-in.",
        ),
    ] = None
    email_address: Annotated[
        Maybe[EmailAddress],
        Described(
            title="Email address",
            description="The address that the connector sends as, and that test mail goes to."
            " By default the user name, if that is an address.",
            examples=["support@contoso.example"],
        ),
    ] = None
    use_same_credentials: Annotated[
        Maybe[bool],
        Described(
            title="Use same credentials",
            description="Sign in as for IMAP. The default, unless credentials are given here.",
        ),
    ] = None
    username: Annotated[
        Maybe[Username],
        Described(
            title="SMTP username",
            description="The name to sign in with, if it differs from IMAP, or a reference to it.",
            examples=["support@contoso.example", "env:SUPPORT_USER"],
        ),
    ] = None
    password: Annotated[Maybe[Reference], _PASSWORD] = None
    oauth2: Annotated[Maybe[OAuth2], _OAUTH2] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorDocument:
    """A mail account to read, to send from, or both; a provider may fill in missing fields."""

    __pydantic_config__ = STRICT

    kind: Literal["EmailConnector"]
    name: Annotated[
        Name,
        Described(
            title="Name",
            description="The stable identifier. To change it, use `reconciler rename`.",
            examples=["support", "payroll"],
        ),
    ]
    display_name: Annotated[
        Maybe[Text],
        Described(
            title="Display name",
            description="What plans and lists call it; no mail shows it. By default the name.",
            examples=["Support mailbox"],
        ),
    ] = None
    from_name: Annotated[
        Maybe[Text],
        Described(
            title="From name",
            description="The name that recipients see beside the address in From.",
            examples=["Contoso Support"],
        ),
    ] = None
    reply_to: Annotated[
        Maybe[EmailAddress],
        Described(
            title="Reply-To",
            description="The address that answers go to, unless the mail or the policy names another.",
            examples=["helpdesk@contoso.example"],
        ),
    ] = None
    provider: Annotated[
        Maybe[ProviderName],
        Described(
            title="Provider",
            description="Fills in servers, ports, encryption and OAuth 2.0 endpoints.",
            examples=["microsoft365", "gmail", "fastmail"],
        ),
    ] = None
    imap: Annotated[
        Maybe[ImapSettings],
        Described(
            title="IMAP settings",
            description="How to read the mailbox. Leave them out for an account that only sends.",
            examples=[
                {
                    "server": "imap.example.com",
                    "port": 993,
                    "use_ssl": True,
                    "username": "support@example.com",
                    "password": "env:SUPPORT_PASSWORD",
                }
            ],
        ),
    ] = None
    enable_mail_send_from: Annotated[
        bool,
        Described(
            title="Enable mail send from",
            description="Whether mail may be sent through this connector; it then needs `smtp`.",
        ),
    ] = False
    smtp: Annotated[
        Maybe[SmtpSettings],
        Described(
            title="SMTP settings",
            description="How to send mail. Required if `enable_mail_send_from` is true.",
            examples=[
                {
                    "server": "smtp.example.com",
                    "port": 587,
                    "use_ssl": True,
                    "email_address": "support@example.com",
                    "use_same_credentials": True,
                }
            ],
        ),
    ] = None
    also_sends_as: Annotated[
        tuple[EmailAddress, ...],
        Described(
            title="Also sends as",
            description="Further addresses to send as; `*@domain` stands for a whole domain.",
            examples=[["sales@shop.example", "*@shop.example"]],
        ),
    ] = ()
    test_recipient: Annotated[
        Maybe[EmailAddress],
        Described(
            title="Test recipient",
            description="The recipient of live tests, if the connector's own address has no mailbox.",
            examples=["postmaster@contoso.example"],
        ),
    ] = None
    depth: Annotated[
        Maybe[Depth],
        Described(
            title="Depth of tests",
            description="The last stage that live tests of this connector reach."
            " By default as `testing.depth` in reconciler.yaml says.",
        ),
    ] = None
    ca_file: CaFile = None
    client_certificate: ClientCertificate = None
    client_key: ClientKey = None
    ehlo_name: EhloName = None
    timeout_seconds: TimeoutSeconds = None
    max_connections: MaxConnections = None
    mails_per_minute: MailsPerMinute = None
    sent_folder: Annotated[
        Maybe[Text],
        Described(
            title="Sent folder",
            description="The folder for sent copies, if it cannot be detected.",
            examples=["Sent", "INBOX.Sent"],
        ),
    ] = None
    save_sent: Annotated[
        SaveSent,
        Described(
            title="Save sent mail", description="Whether a copy of sent mail is filed over IMAP."
        ),
    ] = SaveSent.AUTO
    labels: Annotated[
        tuple[Label, ...],
        Described(
            title="Labels",
            description="Words to select connectors by, as in `reconciler plan --label hr`.",
            examples=[["hr", "team=support"]],
        ),
    ] = ()
    draft: Annotated[
        bool,
        Described(
            title="Draft",
            description="Incomplete on purpose: stored as `incomplete`, never tested, never used to send.",
        ),
    ] = False
    prevent_destroy: Annotated[
        bool,
        Described(
            title="Prevent destroy",
            description="Refuse to delete it. To lift this, apply `false` first, on its own.",
        ),
    ] = False
    renamed_from: Annotated[
        Maybe[Name],
        Described(
            title="Renamed from",
            description="The former name; history, permissions and fingerprints carry over.",
            examples=["helpdesk"],
        ),
    ] = None
