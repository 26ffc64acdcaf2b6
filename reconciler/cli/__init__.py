"""The command line: a command parses, calls one use case, renders, and returns an exit code.

The only decisions here are how output looks and which exit code the process has.
"""
