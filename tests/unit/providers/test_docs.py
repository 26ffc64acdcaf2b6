"""The table in docs/providers.md says what the files say."""

from __future__ import annotations

from pathlib import Path

from reconciler.config.load import built_in_providers
from reconciler.model.connector import Security
from reconciler.model.provider import Provider, ServerDefaults, SignInMethod

PAGE = Path(__file__).parents[3] / "docs" / "providers.md"

MODES = {Security.IMPLICIT: "implicit TLS", Security.STARTTLS: "STARTTLS", Security.NONE: "no TLS"}
METHODS = {
    SignInMethod.PASSWORD: "password",
    SignInMethod.APP_PASSWORD: "app password",
    SignInMethod.OAUTH2: "OAuth 2.0",
}


def server(account: ServerDefaults | None) -> str:
    return f"{account.server}:{account.port}, {MODES[account.security]}" if account else "none"


def row(item: Provider) -> str:
    cells = (
        f"[`{item.name}`]({item.documentation})",
        item.display_name or "",
        server(item.imap),
        server(item.smtp),
        ", ".join(METHODS[method] for method in item.sign_in),
        "yes" if item.files_sent_copies else "",
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    head = (
        "| name | provider | IMAP | SMTP | signs in with | files sent copies |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    return "\n".join((head, *(row(item) for item in built_in_providers())))


def test_the_table_is_current() -> None:
    assert table() in PAGE.read_text(), f"replace the table in {PAGE.name} by:\n{table()}"
