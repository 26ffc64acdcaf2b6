"""Routing: which connector carries a mail, as whom, and why.

Pure functions of a request and a snapshot; composing and sending the mail belong to ``mail``.
"""
