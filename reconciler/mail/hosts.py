"""Host names as the network writes them."""

from __future__ import annotations


def ascii_host(host: str) -> str:
    """The form of a host name that is looked up, compared and checked: lower case and ASCII.

    Names beyond ASCII are encoded as in RFC 3490, which is what :mod:`ssl` and :mod:`socket` do too.
    What cannot be encoded (a label of more than 63 octets) is returned in lower case as it is; no
    name server will know it.
    """
    name = host.strip("[]").rstrip(".").lower()
    try:
        return name.encode("idna").decode("ascii") if name and not name.isascii() else name
    except UnicodeError:
        return name
