"""The log of sending keeps the application, the connector asked for, and why the route was taken.

Revision: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, which are empty for earlier mails."""
    for name in ("application", "asked_connector", "reason"):
        op.add_column("sent", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.create_index("sent_application", "sent", ["application", "at"])
