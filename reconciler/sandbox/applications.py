"""Derives from connectors the applications, with secrets, that token endpoints must know."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.mail.resolve import ascii_host
from reconciler.model.connector import Grant
from reconciler.sandbox.accounts import RegisteredClient, SandboxAccount, username_key
from reconciler.sandbox.references import secret_behind
from reconciler.sandbox.tokens import MADE_UP, made_up_token
from reconciler.secrets.base import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reconciler.connection.account import Account
    from reconciler.model.connector import OAuth2
    from reconciler.model.secret_ref import SecretRef
    from reconciler.sandbox.seed import Seed

_PORT = 443


def endpoint_of(oauth2: OAuth2) -> tuple[str, int, str]:
    """Host, port and path of the token endpoint."""
    parts = urlsplit(oauth2.token_endpoint or "")
    return ascii_host(parts.hostname or ""), parts.port or _PORT, parts.path or "/"


def applications_of(
    accounts: Iterable[Account], seed: Seed, *, base: Path
) -> tuple[RegisteredClient, ...]:
    """Find the applications that connectors sign in with; identical ones are merged.

    A service account becomes one for each mailbox that it acts for. Raises SandboxError, which names
    connector and reference, if a secret cannot be made up or read.
    """
    opened: dict[tuple[OAuth2, str], dict[SandboxAccount, None]] = {}
    first: dict[tuple[OAuth2, str], Account] = {}
    for account in accounts:
        oauth2 = account.settings.oauth2
        if oauth2 is not None:
            key = (oauth2, _subject(oauth2, account))
            opened.setdefault(key, {})[SandboxAccount.of(account)] = None
            first.setdefault(key, account)
    return tuple(
        _application(first[oauth2, subject], subject, tuple(found), seed, base)
        for (oauth2, subject), found in opened.items()
    )


def _awaits_login(reference: SecretRef, base: Path) -> bool:
    """Whether it refers to a file that a login has yet to write."""
    return reference.scheme == "file" and not (base / reference.target).exists()


def _subject(oauth2: OAuth2, account: Account) -> str:
    if oauth2.grant is not Grant.JWT_BEARER:
        return ""
    return username_key(oauth2.subject or account.username)


def _application(
    account: Account, subject: str, accounts: tuple[SandboxAccount, ...], seed: Seed, base: Path
) -> RegisteredClient:
    oauth2 = account.settings.oauth2
    if oauth2 is None:
        raise ValueError("it signs in with a password")

    def secret(reference: SecretRef | None) -> Secret | None:
        if reference is None:
            return None
        return secret_behind(reference, account.connector, seed, base=base)

    host, port, path = endpoint_of(oauth2)
    if oauth2.refresh_token is not None and _awaits_login(oauth2.refresh_token, base):
        refresh_token: Secret | None = Secret(
            made_up_token()
        )  # which does not exist before a login
    else:
        refresh_token = secret(oauth2.refresh_token)
    return RegisteredClient(
        endpoint=oauth2.token_endpoint or "",
        host=host,
        port=port,
        path=path,
        grant=oauth2.grant,
        client_id=oauth2.client_id or "",
        scopes=oauth2.scopes,
        client_secret=secret(oauth2.client_secret),
        certificate=secret(oauth2.certificate),
        refresh_token=refresh_token,
        service_account_key=secret(oauth2.service_account_key),
        subject=subject,
        accounts=accounts,
        # A made-up token must never replace a real one in a file.
        rotates=refresh_token is not None and refresh_token.reveal().startswith(MADE_UP),
    )
