"""Opens a session for one account of a connector, and explains why that failed.

Sending and live tests share it. What is a test (schedule, reports, drift) belongs in ``probe``.
"""
