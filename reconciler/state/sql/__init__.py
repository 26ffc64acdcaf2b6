"""The state in a relational database, through SQLAlchemy Core: SQLite and PostgreSQL alike.

Nothing here decides what a revision means; that is computed in :mod:`reconciler.state.effects`.
"""
