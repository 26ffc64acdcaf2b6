"""A connector in the terms of the settings form, line by line in the form's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.model.connector import SaveSent, Security
from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.connector import Connector, MailServer

_UNKNOWN: Final = ""


def form(connector: Connector) -> str:
    """The text: a line for each field of the form, then settings without a field.

    A password is shown as its reference, never as a value.
    """
    lines = [*_form(connector)]
    rest = [*_rest(connector)]
    if rest:
        lines += ["", "The form has no field for:", *(f"  {line}" for line in rest)]
    return "\n".join(visible(line) for line in lines)


def _form(connector: Connector) -> Iterator[str]:
    yield f"Display name: {connector.display_name}"
    if connector.imap is not None:
        yield from _server("IMAP", connector.imap)
        yield f"Username / email: {connector.imap.username or _UNKNOWN}"
        yield f"Password: {_password(connector.imap)}"
    yield f"Enable mail send from: {_yes(connector.enable_mail_send_from)}"
    smtp = connector.smtp
    if not connector.enable_mail_send_from or smtp is None:
        return
    yield from _server("SMTP", smtp)
    yield f"Email Address: {connector.email_address or _UNKNOWN}"
    if not smtp.signs_in:
        return
    yield f"Use same credentials as above: {_yes(connector.use_same_credentials)}"
    if not connector.use_same_credentials:
        yield f"SMTP Username: {smtp.username or _UNKNOWN}"
        yield f"Password: {_password(smtp)}"


def _server(label: str, server: MailServer) -> Iterator[str]:
    yield f"{label} server: {server.server or _UNKNOWN}"
    yield f"{label} server port: {server.port or _UNKNOWN}"
    yield f"Use SSL: {_yes(server.security not in {None, Security.NONE})}"


def _password(server: MailServer) -> str:
    if server.password is not None:
        return f"(kept in {server.password})"
    return "(none: it signs in with OAuth 2.0)" if server.oauth2 is not None else _UNKNOWN


def _yes(on: bool) -> str:  # noqa: FBT001 - private
    return "Yes" if on else "No"


def _rest(connector: Connector) -> Iterator[str]:
    smtp = connector.smtp if connector.enable_mail_send_from else None
    for label, server in (("IMAP", connector.imap), ("SMTP", smtp)):
        if server is None:
            continue
        if server.oauth2 is not None:
            yield f"{label} sign-in: OAuth 2.0, {server.oauth2.grant}"
        if not server.signs_in:
            yield f"{label} sign-in: none"
        if server.security is not None:
            yield f"{label} security: {server.security}"
    others = {
        "from_name": connector.from_name,
        "reply_to": connector.reply_to,
        "also_sends_as": ", ".join(connector.also_sends_as),
        "sent_folder": connector.sent_folder,
        "save_sent": connector.save_sent if connector.save_sent is not SaveSent.AUTO else None,
        "ca_file": connector.ca_file,
        "ehlo_name": connector.ehlo_name,
        "labels": ", ".join(connector.labels),
        "draft": "true" if connector.draft else None,
    }
    yield from (f"{name}: {value}" for name, value in others.items() if value)
