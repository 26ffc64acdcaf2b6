"""Sending mail through applied connectors: composing, transmitting, and filing the copy.

Which connector carries a mail is decided in ``routing``; sessions with servers belong to ``mail``.
"""
