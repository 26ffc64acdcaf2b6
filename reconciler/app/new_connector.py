"""The document of a new connector: written from what was found, with references in place of secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.config.build import IMPLICIT_PORTS, STARTTLS_PORTS
from reconciler.config.yaml_text import yaml_text
from reconciler.discovery.found import FoundServer, FoundSettings, Source
from reconciler.model.connector import Security
from reconciler.model.credential_rule import is_reserved
from reconciler.model.provider import SignInMethod
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from reconciler.model.provider import Provider, ServerDefaults
    from reconciler.model.resource import JSON

_PASSWORDS: Final = frozenset({SignInMethod.PASSWORD, SignInMethod.APP_PASSWORD})
_LONGEST_NAME: Final = 63


class NewConnector(Struct, frozen=True, kw_only=True):
    """The settings of a new connector. ``decided``: a person or an option confirmed the servers.

    ``password`` is the reference to write; None for one derived from the name.
    """

    name: str
    address: str
    settings: FoundSettings
    send: bool = True
    decided: bool = False
    display_name: str | None = None
    from_name: str | None = None
    username: str | None = None
    smtp_username: str | None = None
    password: SecretRef | None = None
    smtp_password: SecretRef | None = None
    client_id: str | None = None


class ConnectorText(Struct, frozen=True):
    """The text of a connector's file, the variables that it refers to, and notes for its owner."""

    text: str
    references: tuple[SecretRef, ...]
    notes: tuple[str, ...]


def name_for(address: str) -> str:
    """A connector's name, made from the local part of an address."""
    words = re.sub(r"[^a-z0-9]+", "-", address.rpartition("@")[0].lower()).strip("-")
    name = words if words[:1].isalpha() else f"mailbox-{words}".rstrip("-")
    return name[:_LONGEST_NAME].rstrip("-")


def reference_for(name: str, what: str) -> SecretRef:
    """The variable for a connector's secret, avoiding names that CI systems use."""
    target = f"{name.upper().replace('-', '_')}_{what}"
    reference = SecretRef("env", target)
    return SecretRef("env", f"MAIL_{target}") if is_reserved(reference) else reference


def write_document(new: NewConnector, modeline: str) -> ConnectorText:
    """Write the document, below the ``modeline`` for editors, if there is one."""
    writer = _Writer(new)
    document = writer.document()
    header = [f"Found by: {new.settings.source}", *writer.notes]
    references = tuple(dict.fromkeys(writer.references))
    text = modeline + yaml_text([document], "\n".join(header))
    return ConnectorText(text, references, tuple(writer.notes))


class _Writer:
    """Builds one document, and collects notes about it."""

    def __init__(self, new: NewConnector) -> None:
        self._new = new
        self._provider = new.settings.provider
        self.references: list[SecretRef] = []
        self.notes: list[str] = []
        self._draft = False

    def document(self) -> dict[str, JSON]:
        new, found = self._new, self._new.settings
        if found.source is Source.GUESS and not new.decided:
            self._draft = True
            self.notes.append(
                "Guessed: ask the provider whether these are the servers, then delete `draft: true`."
            )
        imap = self._imap(found.imap) if found.imap is not None else None
        smtp = self._smtp(found.smtp, imap) if new.send and found.smtp is not None else None
        document: dict[str, JSON] = {"kind": "EmailConnector", "name": new.name}
        optional: dict[str, JSON] = {
            "display_name": new.display_name,
            "from_name": new.from_name if smtp is not None else None,
            "draft": self._draft or None,
            "provider": self._provider.name if self._provider else None,
            "imap": imap,
        }
        document |= {key: value for key, value in optional.items() if value is not None}
        if smtp is not None:
            document["enable_mail_send_from"] = True
            if smtp:
                document["smtp"] = smtp
        return document

    def _imap(self, server: FoundServer) -> dict[str, JSON]:
        new = self._new
        username = new.username or server.username or new.address
        if self._fills_in(self._provider.imap if self._provider else None, username):
            username = new.address
        return {
            **self._server(server),
            "username": username,
            **self._credential(new.password, "PASSWORD"),
        }

    def _smtp(self, server: FoundServer, imap: dict[str, JSON] | None) -> dict[str, JSON]:
        new = self._new
        written = self._server(server)
        if new.settings.anonymous:
            return {**written, "sign_in": "none", "email_address": new.address}
        own = new.smtp_username or (server.username if imap is None else None)
        if imap is not None and own in {None, imap["username"]} and new.smtp_password is None:
            if self._provider is None:
                return {**written, "email_address": new.address, "use_same_credentials": True}
            return {"email_address": new.address} if imap["username"] != new.address else {}
        username = own or new.username or new.address
        reference = new.smtp_password or (new.password if imap is None else None)
        what = "PASSWORD" if imap is None else "SMTP_PASSWORD"
        written |= {
            "email_address": new.address,
            "use_same_credentials": False,
            "username": username,
            **self._credential(reference, what),
        }
        if imap is None:
            del written["use_same_credentials"]
        return written

    def _fills_in(self, defaults: ServerDefaults | None, username: str) -> bool:
        """Whether the provider derives the user name from the address."""
        if defaults is None:
            return False
        return username in {
            self._new.address.rpartition("@")[0],
            defaults.username_form.of(self._new.address),
        }

    def _server(self, server: FoundServer) -> dict[str, JSON]:
        if self._provider is not None:
            return {}
        usual = IMPLICIT_PORTS if server.security is Security.IMPLICIT else STARTTLS_PORTS
        written: dict[str, JSON] = {"server": server.host, "port": server.port}
        if server.security is not Security.NONE and server.port in usual:
            return written | {"use_ssl": True}
        return written | {"security": str(server.security)}

    def _credential(self, password: SecretRef | None, what: str) -> dict[str, JSON]:
        methods = self._new.settings.sign_in
        provider = self._provider
        oauth2 = self._new.client_id is not None or (
            password is None and bool(methods) and not _PASSWORDS.intersection(methods)
        )
        if oauth2 and provider is not None and provider.oauth2 is not None:
            return {"oauth2": self._oauth2(provider)}
        if methods and not _PASSWORDS.intersection(methods):
            self._say(
                "The server accepts no passwords, only OAuth 2.0: replace `password` by `oauth2`."
            )
            self._draft = True
        elif SignInMethod.APP_PASSWORD in methods and SignInMethod.PASSWORD not in methods:
            self._say("It requires an app password, which you create in the account's settings.")
        reference = password or reference_for(self._new.name, what)
        self.references.append(reference)
        return {"password": str(reference)}

    def _oauth2(self, provider: Provider) -> dict[str, JSON]:
        new = self._new
        by_tenant = provider.oauth2 is not None and "{tenant}" in provider.oauth2.token_endpoint
        if new.client_id is None:
            self._draft = True
            self._say(
                "It signs in with OAuth 2.0: add `client_id` of your application, then delete `draft: true`."
            )
        written: dict[str, JSON] = {"grant": "client_credentials" if by_tenant else "refresh_token"}
        if by_tenant:
            written["tenant"] = new.address.rpartition("@")[2]
        if new.client_id is not None:
            written["client_id"] = new.client_id
        if by_tenant:
            reference = reference_for(new.name, "CLIENT_SECRET")
            self.references.append(reference)
            return written | {"client_secret": str(reference)}
        token = SecretRef("keyring", f"reconciler/{new.name}")
        self._say(f"`reconciler login {new.name}` obtains the refresh token.")
        return written | {"refresh_token": str(token)}

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
