"""The mail protocols: connections that end, sessions in separate steps, and ways to sign in.

Nothing here decides what an answer means to a user, and nothing here is told which connector it
serves; :mod:`reconciler.probe` does the one and knows the other.
"""
