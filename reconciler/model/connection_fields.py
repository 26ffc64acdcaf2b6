"""Fields about connections that a connector has and its provider may fill in."""

from __future__ import annotations

from typing import Annotated

from reconciler.model.described import Described
from reconciler.model.fields import Host, Limit, Maybe, Reference, Seconds, Text

CaFile = Annotated[
    Maybe[Text],
    Described(
        title="Certificate authorities",
        description="PEM file with further authorities to trust, relative to the project.",
        examples=["certificates/private-ca.pem"],
    ),
]
ClientCertificate = Annotated[
    Maybe[Reference],
    Described(
        title="Client certificate",
        description="Reference to a PEM certificate to show to servers, with its key.",
        examples=["file:/run/secrets/mail-client.pem"],
    ),
]
ClientKey = Annotated[
    Maybe[Reference],
    Described(
        title="Client key",
        description="Reference to the key in PEM, if `client_certificate` does not hold it.",
        examples=["file:/run/secrets/mail-client.key"],
    ),
]
EhloName = Annotated[
    Maybe[Host],
    Described(
        title="EHLO name",
        description="The name to greet SMTP servers with. By default the IP address.",
        examples=["mail.contoso.example"],
    ),
]
TimeoutSeconds = Annotated[
    Maybe[Seconds],
    Described(
        title="Timeout",
        description="Deadline of a test, and of each command when sending, in seconds.",
        examples=[30, 120],
    ),
]
MaxConnections = Annotated[
    Maybe[Limit],
    Described(
        title="Connections at most",
        description="Connections over which an account sends at the same time.",
        examples=[3],
    ),
]
MailsPerMinute = Annotated[
    Maybe[Limit],
    Described(
        title="Mails per minute",
        description="Mails that an account sends within any 60 seconds.",
        examples=[30],
    ),
]
