"""The schema of the state, step by step, as Alembic runs it.

A revision, once released, is never changed. Its number is four digits, one more than the last.
"""
