"""Connecting to PostgreSQL: libpq reads the URL and all its usual sources."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from reconciler.errors import StateUnavailable, UsageError
from reconciler.wording import install_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from reconciler.model.state_url import PostgresqlUrl
    from reconciler.secrets.base import Secret

# Notice a network that drops packets within half a lease, long before TCP gives up.
_PATIENCE = {
    "connect_timeout": 10,  # s
    "keepalives_idle": 10,  # s
    "keepalives_interval": 5,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms
}
_NOWHERE = logging.NullHandler()
_KNOWS_REQUIRE_AUTH = 160000  # libpq 16
_CHECKED = ("verify-ca", "verify-full")


class Connecting:
    """Opens connections to one database.

    libpq takes anything missing from the URL from its usual sources: ``PGPASSWORD``, ``~/.pgpass``,
    ``PGSSLMODE``, a service file. The password is fetched once, and only if the URL has none.

    Raises UsageError for a URL that libpq cannot read, and StateUnavailable if psycopg is missing.
    """

    def __init__(self, url: PostgresqlUrl, password: Callable[[], Secret] | None = None) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an extra, which only this store needs
            from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - likewise
        except ModuleNotFoundError:
            raise StateUnavailable(
                "a state in PostgreSQL needs psycopg, which is not installed",
                hint=install_extra("postgres"),
            ) from None
        try:
            given = conninfo_to_dict(url.text)
        except psycopg.ProgrammingError:  # its text may contain part of the URL
            raise UsageError(
                "the state URL cannot be read as a URL",
                hint="its parameters are those of libpq: "
                "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS",
            ) from None
        # It logs what it ignores when a connection breaks. An application's handlers get that; without any,
        # Python would write it to standard error.
        logging.getLogger("psycopg").addHandler(_NOWHERE)
        self._connect = psycopg.connect
        self._password = None if url.has_password else password
        self._secret: Secret | None = None
        self._parameters: dict[str, Any] = {
            **_PATIENCE,
            "application_name": "reconciler",
            **self._redactor(url, psycopg.pq.version()),
            **given,
        }

    def __call__(self) -> Connection:
        """Open one more."""
        parameters = dict(self._parameters)
        if self._password is not None:
            if self._secret is None:
                self._secret = self._password()
            parameters["password"] = self._secret.reveal()
        # A pooler may spread one session over several servers, where prepared statements fail.
        return self._connect(**parameters, prepare_threshold=None)

    @staticmethod
    def _redactor(url: PostgresqlUrl, libpq: int) -> dict[str, str]:
        """Refuse to send the password in clear to a server that is not authenticated."""
        mode = url.tls or os.environ.get("PGSSLMODE", "")
        proved = url.verified or mode in _CHECKED
        return {} if proved or libpq < _KNOWS_REQUIRE_AUTH else {"require_auth": "!password"}
