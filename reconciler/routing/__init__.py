"""Routing: through which connector a mail goes, as whom, and why.

Pure functions of a request and a snapshot; composing and sending the mail belong to ``mail``.
"""
