"""The sandbox: mail servers on loopback that replace every server that connectors name.

It contains the servers, their certificates and accounts, and the session that runs them, and
nothing that a real run needs. pymap, aiosmtpd and trustme are an extra of the package, so the
modules that need them (certificates, delivery, imap, smtp, listening) are imported late.
"""
