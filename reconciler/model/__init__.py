"""The domain model: connectors, permissions, policy, directory and providers, as frozen values.

Nothing here reads a file, a clock or a network, and nothing here knows how it is stored or shown.
"""
