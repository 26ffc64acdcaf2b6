"""Routing: through which connector a mail goes, as whom, and why.

A pure function of a request and a snapshot; what is sent, and how, is decided elsewhere.
"""
