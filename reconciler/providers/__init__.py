"""The built-in providers: one YAML file each, of the same kind as a user's own documents.

Data alone lives here. ``docs/providers.md`` shows it as a table and says how to add or replace one.
"""
