"""Where secrets went, attempts to sign in, the settings of the last apply, and a chain of digests.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reconciler.errors import StateError
from reconciler.model.connector import Connector
from reconciler.model.credential_use import CredentialUse
from reconciler.plan.credentials import uses
from reconciler.state import specs
from reconciler.state.sql import links

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables, and fill them from the history."""
    moment = sa.DateTime(timezone=True).with_variant(sa.String(40), "sqlite")
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("actor_source", sa.Text, nullable=False),
        sa.Column("command", sa.String(20), nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("protocol", sa.String(10), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("security", sa.String(20), nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("error_class", sa.Text, nullable=False),
    )
    op.create_index("attempts_at", "attempts", ["at"])
    op.create_index("attempts_connector", "attempts", ["connector", "at"])
    uses_table = op.create_table(
        "credential_uses",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("security", sa.String(20), nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("mac", sa.String(80), nullable=False),
    )
    op.add_column("meta", sa.Column("settings", sa.Text, nullable=False, server_default="[]"))
    op.add_column("revisions", sa.Column("chain", sa.String(80), nullable=False, server_default=""))
    connection = op.get_bind()
    rows = _remembered(connection)
    if rows:
        op.bulk_insert(uses_table, rows)
    _link(connection)


def _remembered(connection: sa.Connection) -> list[dict[str, object]]:
    """Every use of a secret by a past connector; skips unreadable ones."""
    history = sa.table("history", *map(sa.column, ("serial", "position", "kind", "name", "spec")))
    revisions = sa.table("revisions", sa.column("serial"), sa.column("at"))
    query = (
        sa.select(history.c.name, history.c.spec, revisions.c.at)
        .join(revisions, revisions.c.serial == history.c.serial)
        .where(history.c.kind == "EmailConnector", history.c.spec.is_not(None))
        .order_by(history.c.serial, history.c.position)
    )
    found: dict[str, dict[str, object]] = {}
    for name, text, at in connection.execute(query):
        try:
            connector = specs.read(specs.address_of("EmailConnector", name), text)
        except StateError:
            continue
        if isinstance(connector, Connector):
            for _, reference, destination in uses(connector):
                use = CredentialUse(reference, str(reference), destination)
                row = specs.use_row(use)
                found.setdefault(str(row["id"]), {**row, "at": at})
    return list(found.values())


def _link(connection: sa.Connection) -> None:
    """Compute the digests of past revisions, to which later ones are chained."""
    for serial, link in links.links(connection):
        statement = sa.text("UPDATE revisions SET chain = :link WHERE serial = :serial")
        connection.execute(statement, {"link": link, "serial": serial})
