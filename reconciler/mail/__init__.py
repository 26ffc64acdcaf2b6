"""The mail protocols: connections that end, sessions in separate steps, and ways to sign in.

Nothing here decides what an answer means to a user, or knows which connector it serves:
:mod:`reconciler.connection` does.
"""
