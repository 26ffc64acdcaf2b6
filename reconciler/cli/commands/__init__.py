"""One file for each command.

What a command needs beyond click is imported inside it, so that the others start without.
"""
