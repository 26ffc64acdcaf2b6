"""Connectors and groups are found by addresses, domains and members, so that one mail reads only what it needs.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the empty table: the store fills it, and records its edition in ``meta.routing``."""
    op.add_column("meta", sa.Column("routing", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "routing_keys",
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("uid", sa.String(40), nullable=False),
        sa.Column("mark", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("role", "key", "uid"),
        sa.ForeignKeyConstraint(["uid"], ["resources.uid"], ondelete="CASCADE"),
    )
    op.create_index("routing_keys_uid", "routing_keys", ["uid"])
