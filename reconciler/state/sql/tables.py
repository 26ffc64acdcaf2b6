"""The tables of the newest schema. :mod:`reconciler.state.migrations` builds them, a test compares."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from reconciler.state.sqlite_values import in_utc, moment_in, to_sqlite, unexpected

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, timezone-aware in Python.

    SQLite has no type for it and keeps ISO 8601 text

    of fixed length, which sorts by time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text in SQLite, ``timestamptz`` in PostgreSQL."""
        kept = String(40) if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(kept)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Convert it to UTC; raises ValueError for a moment without a time zone."""
        if value is None:
            return None
        return to_sqlite(value) if dialect.name == "sqlite" else in_utc(value)

    def process_result_value(
        self,
        value: Any,
        dialect: Dialect,  # noqa: ARG002 - the type decorator hands it over
    ) -> datetime | None:
        """Read it back; raises StateCorrupt for text that is not a moment."""
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return moment_in(value)


class CheckedColumn(TypeDecorator[Any]):
    """A column whose values are checked when they are read: SQLite keeps any type in any column."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any], expected: type[Any]) -> None:
        self.kind = kind
        self.expected = expected
        super().__init__()

    def load_dialect_impl(
        self,
        dialect: Dialect,  # noqa: ARG002 - the type decorator hands it over
    ) -> TypeEngine[Any]:
        """The type that the column has in the database; a descriptor would make a varchar of a text."""
        return self.kind

    def process_result_value(
        self,
        value: Any,
        dialect: Dialect,  # noqa: ARG002 - the type decorator hands it over
    ) -> Any:
        """Return the value; raises StateCorrupt if it is of another type."""
        if value is None or type(value) is self.expected:
            return value
        raise unexpected(value, _NAMES[self.expected])


_NAMES = {int: "a whole number", str: "text"}

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="meta_single"), primary_key=True,
           autoincrement=False),
    Column("lineage", String(32), nullable=False),
    Column("serial", Integer, nullable=False),
    Column("settings", Text, nullable=False, server_default="[]"),
    Column("routing", Text, nullable=False, server_default=""),
)  # fmt: skip
"""One row: the state's identity and the serial of its newest revision, which commits compare.

``settings`` is JSON: name, value and origin of each setting in force at the last apply. ``routing`` is the edition of
the rows in ``routing_keys``, empty before they are written.
"""

revisions = Table(
    "revisions",
    metadata,
    Column("serial", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_source", Text, nullable=False),
    Column("git_commit", Text, nullable=False),
    Column("tool_version", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("destroyed", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("chain", String(80), nullable=False, server_default=""),
)
"""Every apply. ``chain`` is its digest, chained to the one before: :mod:`reconciler.state.chain`."""

resources = Table(
    "resources",
    metadata,
    Column("uid", String(40), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("name", String(100), nullable=False),
    Column("spec", Text, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("modified_at", UtcDateTime, nullable=False),
    Column("modified_by", Text, nullable=False),
    Column("modified_serial", ForeignKey("revisions.serial"), nullable=False),
    UniqueConstraint("kind", "name", name="resources_address"),
)
"""The resources that exist now.

``uid`` stays with a resource through renames; ``spec`` is canonical JSON.
"""

routing_keys = Table(
    "routing_keys",
    metadata,
    Column("role", String(10), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("uid", ForeignKey("resources.uid", ondelete="CASCADE"), primary_key=True),
    Column("mark", String(40), nullable=False),
    Index("routing_keys_uid", "uid"),
)
"""The lookup keys of connectors and groups for one mail: addresses, domains and members. All of it
follows from ``resources``. ``mark`` is a digest of the row.
"""

history = Table(
    "history",
    metadata,
    Column("serial", ForeignKey("revisions.serial"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("uid", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("name", String(100), nullable=False),
    Column("action", String(20), nullable=False),
    Column("spec", Text),
    Column("renamed_from", String(100), nullable=False),
    Index("history_uid", "uid"),
    Index("history_address", "kind", "name"),
)
"""What every revision did to each resource that it touched, with the result."""

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("uid", ForeignKey("resources.uid", ondelete="CASCADE"), primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("key_id", String(40), nullable=False),
    Column("mac", String(80), nullable=False),
)

tests = Table(
    "tests",
    metadata,
    Column("uid", ForeignKey("resources.uid", ondelete="CASCADE"), primary_key=True),
    Column("passed", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("stage", Text, nullable=False),
    Column("error_class", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("failing_since", UtcDateTime),
    Column("facts", Text, nullable=False, server_default="{}"),
)
"""The last live test of each connector. ``facts`` is JSON; ``failing_since`` is null if it passed."""

sent = Table(
    "sent",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_source", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("from_address", Text, nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("result", String(20), nullable=False),
    Column("code", Integer),
    Column("enhanced", String(20), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("copy", Text, nullable=False),
    Column("application", Text, nullable=False, server_default=""),
    Column("asked_connector", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Index("sent_at", "at"),
    Index("sent_connector", "connector", "at"),
    Index("sent_actor", "actor", "at"),
    Index("sent_message", "message_id"),
    Index("sent_application", "application", "at"),
)
"""The audit of sending: a row for each attempt.

It has no foreign keys, so that entries outlive their resources.
"""

attempts = Table(
    "attempts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_source", Text, nullable=False),
    Column("command", String(20), nullable=False),
    Column("connector", Text, nullable=False),
    Column("protocol", String(10), nullable=False),
    Column("reference", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("security", String(20), nullable=False),
    Column("username", Text, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("error_class", Text, nullable=False),
    Index("attempts_at", "at"),
    Index("attempts_connector", "connector", "at"),
)
"""Attempts to sign in, recorded before the connection: a row for each secret and destination."""

credential_uses = Table(
    "credential_uses",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("reference", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("security", String(20), nullable=False),
    Column("username", Text, nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("mac", String(80), nullable=False),
)
"""Where each secret was applied or signed in with, including by deleted connectors.

``id`` is a digest of everything except ``at``, the time it was first seen. ``key_id`` and ``mac``
are a keyed MAC of the secret alone, and empty without a key.
"""

lock = Table(
    "lock",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="lock_single"), primary_key=True,
           autoincrement=False),
    Column("token", String(40), nullable=False),
    Column("holder", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("since", UtcDateTime),
    Column("expires", UtcDateTime),
)  # fmt: skip
"""One row: the lease. An empty token means that the lock is free."""


def _check_values() -> None:
    """Check the values of every column when they are read."""
    for table in metadata.tables.values():
        for item in table.columns:
            if isinstance(item.type, Integer | BigInteger):
                item.type = CheckedColumn(item.type, int)
            elif isinstance(item.type, String):
                item.type = CheckedColumn(item.type, str)


_check_values()
