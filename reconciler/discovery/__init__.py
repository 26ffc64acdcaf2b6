"""Finding the settings of a mail account: from its provider, its domain and the files of other programs.

No credential is sent from here or kept in a value, and nothing is written.
"""
