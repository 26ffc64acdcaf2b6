"""Secrets: how a reference is turned into its value, and the type that keeps the value out of sight.

One file for each scheme. Nothing here logs, stores or shows what it resolves.
"""
