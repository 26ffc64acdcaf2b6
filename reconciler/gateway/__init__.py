"""The submission gateway: programs sign in with SMTP, and their mail is handed over to a connector.

It speaks the protocol and knows who may sign in. Routing and sending are given to it as a function; it keeps no mail.
"""
