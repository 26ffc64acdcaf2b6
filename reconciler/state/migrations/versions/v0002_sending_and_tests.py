"""The audit of sending; since when a connector fails, and what its last test saw.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create ``sent``; a connector that fails has failed since its last test at the latest."""
    moment = sa.DateTime(timezone=True).with_variant(sa.String(40), "sqlite")
    op.create_table(
        "sent",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("actor_source", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("from_address", sa.Text, nullable=False),
        sa.Column("recipients", sa.Integer, nullable=False),
        sa.Column("accepted", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("enhanced", sa.String(20), nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("copy", sa.Text, nullable=False),
    )
    op.create_index("sent_at", "sent", ["at"])
    op.create_index("sent_connector", "sent", ["connector", "at"])
    op.create_index("sent_actor", "sent", ["actor", "at"])
    op.create_index("sent_message", "sent", ["message_id"])
    op.add_column("tests", sa.Column("failing_since", moment))
    op.add_column("tests", sa.Column("facts", sa.Text, nullable=False, server_default="{}"))
    tests = sa.table(
        "tests", sa.column("passed", sa.Boolean), sa.column("at"), sa.column("failing_since")
    )
    op.execute(tests.update().where(~tests.c.passed).values(failing_since=tests.c.at))
