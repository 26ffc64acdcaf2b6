"""The command line: a command parses, calls one use case, renders, and returns an exit code.

Nothing is decided here but how things look and which number the process ends with.
"""
