"""The submission gateway: programs sign in with SMTP, and a connector sends their mail.

It speaks the protocol and checks who may sign in. Routing and sending are passed in as a
function; it stores no mail.
"""
