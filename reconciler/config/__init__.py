"""From YAML files to a snapshot: reading, positions, validation, checks, defaults, settings.

Nothing here resolves a secret, opens a connection or knows the stored state.
"""
