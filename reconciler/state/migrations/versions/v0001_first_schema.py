"""The first schema.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table, and the single rows of those that have one."""
    moment = sa.DateTime(timezone=True).with_variant(sa.String(40), "sqlite")
    meta = op.create_table(
        "meta",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("lineage", sa.String(32), nullable=False),
        sa.Column("serial", sa.Integer, nullable=False),
        sa.CheckConstraint("id = 1", name="meta_single"),
    )
    op.create_table(
        "revisions",
        sa.Column("serial", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("actor_source", sa.Text, nullable=False),
        sa.Column("git_commit", sa.Text, nullable=False),
        sa.Column("tool_version", sa.Text, nullable=False),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("added", sa.Integer, nullable=False),
        sa.Column("changed", sa.Integer, nullable=False),
        sa.Column("destroyed", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "resources",
        sa.Column("uid", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("modified_at", moment, nullable=False),
        sa.Column("modified_by", sa.Text, nullable=False),
        sa.Column("modified_serial", sa.Integer, sa.ForeignKey("revisions.serial"), nullable=False),
        sa.UniqueConstraint("kind", "name", name="resources_address"),
    )
    op.create_table(
        "history",
        sa.Column("serial", sa.Integer, sa.ForeignKey("revisions.serial"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("uid", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("spec", sa.Text),
        sa.Column("renamed_from", sa.String(100), nullable=False),
    )
    op.create_index("history_uid", "history", ["uid"])
    op.create_index("history_address", "history", ["kind", "name"])
    op.create_table(
        "fingerprints",
        sa.Column(
            "uid",
            sa.String(40),
            sa.ForeignKey("resources.uid", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("reference", sa.Text, primary_key=True),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("mac", sa.String(80), nullable=False),
    )
    op.create_table(
        "tests",
        sa.Column(
            "uid",
            sa.String(40),
            sa.ForeignKey("resources.uid", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("passed", sa.Boolean, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("error_class", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
    )
    lock = op.create_table(
        "lock",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("token", sa.String(40), nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("since", moment),
        sa.Column("expires", moment),
        sa.CheckConstraint("id = 1", name="lock_single"),
    )
    op.bulk_insert(meta, [{"id": 1, "lineage": "", "serial": 0}])
    op.bulk_insert(lock, [{"id": 1, "token": "", "holder": "", "operation": "", "host": ""}])
