"""The people of Contoso: how each signs in, and what is special about their mailboxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DOMAIN: Final = "contoso.example"

SENT: Final = "Sent"
LOCAL_SENT: Final = "Büroausgang"
"""A Sent folder that only its special-use flag identifies (RFC 6154)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Someone who may sign in.

    ``sent`` is the name of the folder with the special use Sent. ``mailbox`` is false where the
    password is right and there is nothing behind it. ``aliases`` are further addresses to send as.
    """

    username: str
    password: str
    sent: str | None = SENT
    mailbox: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What connectors for this account are called."""
        return self.username.partition("@")[0]

    @property
    def variable(self) -> str:
        """The environment variable that holds its password."""
        return f"{self.name.upper().replace('-', '_')}_PASSWORD"


def _at(name: str) -> str:
    return f"{name}@{DOMAIN}"


SUPPORT: Final = Account(
    username=_at("support"), password="correct horse battery", aliases=(_at("gone"), _at("busy"))
)
INFO: Final = Account(username=_at("info"), password='back\\slash "quoted"', sent=LOCAL_SENT)
UNICODE: Final = Account(username=_at("unicode"), password="pässwörd €")
ARCHIVE: Final = Account(username=_at("archive"), password="nothing is ever sent", sent=None)
PAYROLL: Final = Account(username=_at("payroll"), password="reads the replies")
PAYROLL_RELAY: Final = Account(
    username="payroll-relay",
    password="sends the payslips",
    mailbox=False,
    aliases=(PAYROLL.username,),
)
FULL: Final = Account(username=_at("full"), password="no room left")
GHOST: Final = Account(username=_at("ghost"), password="no mailbox", mailbox=False)
LOCKED_OUT: Final = Account(username=_at("locked-out"), password="mailbox of somebody else")

ACCOUNTS: Final = (
    SUPPORT,
    INFO,
    UNICODE,
    ARCHIVE,
    PAYROLL,
    PAYROLL_RELAY,
    FULL,
    GHOST,
    LOCKED_OUT,
    *(
        Account(username=_at(f"user-{number}"), password=f"secret {number}", sent=None)
        for number in range(50)
    ),
)

READERS: Final = tuple(account for account in ACCOUNTS if account.name.startswith("user-"))
ADA, BOB = READERS[:2]
