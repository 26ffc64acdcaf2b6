from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.secret_ref import SecretRef
from reconciler.sandbox.seed import Seed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    return Seed(b"k" * 32, tmp_path)


@pytest.fixture
def imap() -> Callable[..., MailServer]:
    """Make the IMAP account of a connector."""

    def make(
        username: str = "support@contoso.example",
        password: str | None = "env:SUPPORT",
        *,
        server: str = "outlook.office365.com",
        port: int = 993,
        security: Security = Security.IMPLICIT,
    ) -> MailServer:
        reference = None if password is None else SecretRef.parse(password)
        return MailServer(
            server=server, port=port, security=security, username=username, password=reference
        )

    return make


@pytest.fixture
def smtp(imap: Callable[..., MailServer]) -> Callable[..., MailServer]:
    """Make the SMTP account of a connector."""

    def make(
        username: str = "support@contoso.example",
        password: str | None = "env:SUPPORT",
        *,
        server: str = "smtp.office365.com",
        port: int = 587,
        security: Security = Security.STARTTLS,
    ) -> MailServer:
        return imap(username, password, server=server, port=port, security=security)

    return make


@pytest.fixture
def connector() -> Callable[..., Connector]:
    """Make a connector that sends if it has an SMTP account."""

    def make(
        name: str = "support",
        *,
        imap: MailServer | None = None,
        smtp: MailServer | None = None,
        email_address: str | None = None,
        files_sent_copies: bool = False,
        sent_folder: str | None = None,
        draft: bool = False,
    ) -> Connector:
        return Connector(
            name=name,
            display_name=name,
            imap=imap,
            smtp=smtp,
            enable_mail_send_from=smtp is not None,
            email_address=email_address,
            files_sent_copies=files_sent_copies,
            sent_folder=sent_folder,
            draft=draft,
        )

    return make
