"""One file for each command.

A command imports what it needs beyond click inside its function, so

that others start without it.
"""
