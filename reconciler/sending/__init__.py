"""Sending mail through what was applied: composing it, handing it over, and filing the copy.

Which connector carries a mail is decided in ``routing``; sessions with servers belong to ``mail``.
"""
