"""The words of servers that may be shown of the answer to a sign-in, besides its codes.

Collected from what Dovecot, Cyrus, Courier, Postfix, Exim, Exchange Online, Microsoft Entra, Gmail, Yahoo,
iCloud, Zoho and other servers and providers answer. A word that is missing here is shown as "…"; adding one
that no password consists of does no harm.
"""

from __future__ import annotations

from typing import Final

from reconciler.mail.faults import TOKEN_ERRORS

_RESPONSE_CODES: Final = """
    ALERT ALREADYEXISTS AUTHENTICATIONFAILED AUTHORIZATIONFAILED CANNOT CAPABILITY CLIENTBUG CLOSED
    CONTACTADMIN CORRUPTION EXPIRED INUSE LIMIT NONEXISTENT NOPERM OVERQUOTA PRIVACYREQUIRED SERVERBUG
    THROTTLED TRYCREATE UNAVAILABLE UNKNOWN-CTE WEBALERT
"""

RESPONSE_CODES: Final = frozenset(_RESPONSE_CODES.split())
"""IMAP response codes (RFC 5530, RFC 9051 section 7.1, and Gmail's)."""

STATUSES: Final = frozenset(
    {"400", "401", "403", "invalid_token", "insufficient_scope", "invalid_request"}
)
"""Answers to a rejected token (RFC 7628 section 3.2.2; with XOAUTH2, HTTP statuses)."""

SCOPES: Final = frozenset(
    {
        "https://mail.google.com/",
        "https://outlook.office365.com/.default",
        "https://outlook.office365.com/IMAP.AccessAsUser.All",
        "https://outlook.office365.com/SMTP.Send",
        "https://outlook.office.com/.default",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "https://outlook.office.com/SMTP.Send",
        "mail-r",
        "mail-w",
    }
)
"""Scopes that servers name when they refuse a token."""

_WORDS: Final = """
    about abuse accept accepted access account accounts action active added address administrator admin after
    again all allow allowed already also and another any anymore app app-specific application
    application-specific applications are ask attempt attempts audience auth authenticate authenticated
    authenticating authentication authentication/authorization authenticator authority authorization
    authorize authorized aborted available
    backend bad banned base64 basic because been before being bearer blocked browser but
    called can cancelled cannot can't certificate challenge change changed check claim client clients close
    closed closing code command complete completed concurrent condition conditional configuration configured
    confirm connect connected connecting connection connections consent contact continue correct corrupt
    could couldn't couldnt create credential credentials criteria current currently
    daily data database date deactivated decode delay delayed delegated delete deleted denied deprecated
    detected device did directory disabled disconnected does doesn't domain don't down due during
    earlier either email empty enable enabled encode encoded encryption ended enforced enter error errors
    exceed exceeded exist exists expected expired external
    fail failed failing failure failures few first following for format forbidden found from full further
    get given grant granted
    had has have help here high host hour hours
    identifier identity illegal imap imap4 inactive incorrect information insecure instead insufficient
    internal invalid issue issued issuer
    key known
    large later less licence license licensed like limit limited limits line locked log logged logging login
    logins long longer lookup
    mail mailbox mailboxes malformed many match matching maximum may mechanism mechanisms meet message method
    minute minutes missing moment more most multi-factor must
    name need needed needs network never new next non-matching not now number
    oauth oauth2 object offline old one only open operation organization other out outdated over own
    parameter part partially pass password passwords per period permanently permission permissions permitted
    please plain point policies policy pop pop3 port possible present prevent previous problem process
    processing prohibited protected protocol provide provided provider
    quota
    rate rate-limited reached read reason received receiving recently refresh refused register registered
    reject rejected relay relaying remote renew repeated replaced request requested requests require required
    requires reset resource response restart restricted result retry revoked right rights
    sasl scope scopes second secret secure security see send sender sending sent server servers service
    services session sessions set setting settings shared should shutting sign sign-in signed signature
    signing sign-on simultaneous size smtp software some soon specified spam ssl standard starttls start
    state status step still subscription successful such sufficient support supported suspended suspicious
    syntax system
    temporarily temporary tenant text than that the then there therefore third-party this through throttled
    time timed timeout tls token tokens too transport tried trust try trying turn turned two-factor
    two-step type
    unable unauthorized unavailable undefined under understand understood unexpected unencrypted unique unknown unlock unrecognized
    unsafe unsecured unsuccessful unsupported until unusual update upgrade usage use used user username users using
    valid value verification verified verify version via violation virtual visit
    wait waiting was web website webmail were when where which while will with within without works would
    wrong
    xoauth2
    years yet you your yourself
    IMAP IMAP4 SMTP POP POP3 TLS SSL STARTTLS AUTH LOGIN PLAIN SASL OAuth OAuth2 OAUTHBEARER XOAUTH2 BASE64
    ID JWT URL HTTP HTTPS Gmail Google Microsoft Exchange Outlook Entra Yahoo Zoho iCloud Apple Dovecot Postfix
    InvalidSecondFactor LogonDenied SendAsDenied SmtpClientAuthentication WebLoginRequired
"""

_SHORT_WORDS: Final = "a an as at be by do go if in is it me my no of on or so to up us we"


def _spellings() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for word in (*_SHORT_WORDS.split(), *_WORDS.split(), *TOKEN_ERRORS):
        key = word.casefold()
        found[key] = (*found.get(key, ()), word, word.capitalize(), word.upper())
    return found


_SPELLINGS: Final = _spellings()


def known_word(token: str) -> str | None:
    """Return a token in a known spelling, None if it is unknown.

    The server's spelling is kept if it is common, so that its case carries no information.
    """
    spellings = _SPELLINGS.get(token.casefold())
    if spellings is None:
        return None
    return token if token in spellings else spellings[0]
