"""The planner: a pure function from the desired and the stored state to the changes between them.

Nothing here uses a clock, a file, a network, a log or a screen.
"""
