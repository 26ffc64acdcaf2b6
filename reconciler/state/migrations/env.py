"""Runs the revisions on a connection that the caller opened, in the caller's transaction."""

from __future__ import annotations

from alembic import context

from reconciler.state.sql.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
