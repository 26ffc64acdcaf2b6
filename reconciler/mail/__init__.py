"""The mail protocols: connections with deadlines, sessions in separate steps, and ways to sign in.

Nothing here interprets an answer for users, or knows which connector it serves:
:mod:`reconciler.connection` does.
"""
