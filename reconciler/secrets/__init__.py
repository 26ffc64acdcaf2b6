"""Secrets: resolving references, and the type that hides the values.

One file for each scheme. Nothing here logs, stores or shows what it resolves.
"""
