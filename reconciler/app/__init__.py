"""One use case for each command; this layer wires the adapters to the core.

Nothing here parses a command line or prints: results and questions go through values and callables.
"""
