"""The built-in providers: one YAML file each, of the same kind as a user's own documents.

There is only data here. ``docs/providers.md`` shows it as a table and says how to add or replace one.
"""
