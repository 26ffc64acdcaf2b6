"""When two spellings of a user name or an address mean the same to a mail server."""

from __future__ import annotations

from reconciler.mail.hosts import ascii_host


def username_key(username: str) -> str:
    """A user name without regard to case, in which hardly a mail server tells names apart."""
    return address_key(username) if "@" in username else username.casefold()


def address_key(address: str) -> str:
    """An address without regard to case, with its domain as the network writes it.

    RFC 5321 section 2.4 lets servers tell local parts apart by case and tells them not to.
    """
    local, _, domain = address.rpartition("@")
    return f"{local.casefold()}@{ascii_host(domain)}"
