"""Changes a connector's document where the connector differs in fields that are copied from it, such as labels.

:mod:`reconciler.config.fitting` would write the whole document, read it back and leave out what is
needless, which takes ten times as long. The result is equal; in doubt there is none, and it decides.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from reconciler.config.unresolve import WRITTEN_ALIKE, WRITTEN_OTHERWISE, defaults_of_fields
from reconciler.model.address import Kind
from reconciler.model.connector import Security
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.resource import to_plain
from reconciler.model.validators import Invalid, validated

if TYPE_CHECKING:
    from reconciler.config.unresolve import Written
    from reconciler.model.connector import Connector, MailServer
    from reconciler.model.resource import JSON

_COPIED: Final = ("display_name", *WRITTEN_ALIKE)
"""The fields that documents and connectors have alike, in the order in which new ones are written."""

_FOUND_ELSEWHERE: Final = attrgetter(*sorted(WRITTEN_OTHERWISE - {"display_name"}))
_EXAMINED: Final = frozenset(
    {"kind", "name", "imap", "enable_mail_send_from", "smtp", "renamed_from", *_COPIED}
)


def with_copied_fields(written: Written, before: Connector, after: Connector) -> Written | None:
    """The document of ``after``, from the one of ``before``; None if that needs a closer look.

    ``written`` has no variables. It is changed only in the fields that differ, and only if it would
    otherwise be written in the same words.
    """
    if _FOUND_ELSEWHERE(before) != _FOUND_ELSEWHERE(after) or not _stays(written, after):
        return None
    changed = {
        name: getattr(after, name)
        for name in _COPIED
        if getattr(after, name) != getattr(before, name)
    }
    plain = {name: to_plain(value) for name, value in changed.items()}
    if "${" in str(plain) or not _are_valid(plain, changed):
        return None
    found = dict(written)
    for name, value in changed.items():
        if value == after.name if name == "display_name" else value == _DEFAULTS[name]:
            found.pop(name, None)
        else:
            found[name] = plain[name]
    return found


_DEFAULTS: Final = defaults_of_fields(ConnectorDocument)


def _are_valid(plain: Written, values: dict[str, object]) -> bool:
    """Whether a document may have these fields, and has the same values then."""
    given = {name: item for name, item in plain.items() if item is not None}
    try:
        read = validated(
            ConnectorDocument, {"kind": str(Kind.EMAIL_CONNECTOR), "name": "any", **given}
        )
    except Invalid:
        return False
    return all(getattr(read, name) == value for name, value in values.items())


def _stays(written: Written, connector: Connector) -> bool:
    """Whether the accounts and what else they depend on would be written in the same words."""
    return (
        written.keys() <= _EXAMINED
        and connector.provider is None
        and connector.enable_mail_send_from
        and _account_stays(written.get("imap"), connector.imap)
        and _account_stays(
            written.get("smtp"), connector.smtp, signs_in=not connector.use_same_credentials
        )
        and _smtp_stays(written.get("smtp"), connector)
    )


def _account_stays(account: JSON, server: MailServer | None, *, signs_in: bool = True) -> bool:
    if server is None or not isinstance(account, dict):
        return server is None and account is None
    password = str(server.password) if server.password is not None else None
    return (
        server.oauth2 is None
        and server.client_certificate is None
        and server.client_key is None
        and _encryption_stays(account, server)
        and account.get("server") == server.server
        and account.get("port") == server.port
        and account.get("allow_cleartext_auth", False) == server.allow_cleartext_auth
        and account.get("sign_in") == server.sign_in
        and account.get("username") == (server.username if signs_in else None)
        and account.get("password") == (password if signs_in else None)
        and "oauth2" not in account
    )


def _encryption_stays(account: Written, server: MailServer) -> bool:
    if "security" in account:
        return "use_ssl" not in account and account["security"] == server.security
    is_encrypted = server.security in (Security.IMPLICIT, Security.STARTTLS)
    return is_encrypted and account.get("use_ssl") is True


def _smtp_stays(account: JSON, connector: Connector) -> bool:
    return not isinstance(account, dict) or (
        account.get("email_address") == connector.email_address
        and account.get("use_same_credentials") is connector.use_same_credentials
    )
