"""The sandbox: mail servers on loopback that stand in for every server that connectors name.

Here live the servers, their certificates and accounts, and the session that runs them; what is no
part of a trial run must not live here. pymap, aiosmtpd and trustme are an extra of the package, so
the modules that need them (certificates, delivery, imap, smtp, listening) are imported late.
"""
