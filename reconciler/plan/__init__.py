"""The planner: from what is wanted and what is stored to what will change, as a pure function.

Nothing here knows a clock, a file, a network, a log or a screen.
"""
