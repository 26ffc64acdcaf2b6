"""The canonical spelling of domains and addresses, for comparing them (IDNA 2008, RFC 5891).

Python's own codec follows IDNA 2003, which turns ``ß`` into ``ss``: another domain.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

_ADDRESS: Final = re.compile(r"[^\s@,;<>()`\"]+@[^\s@,;<>()`\"]+[^\s@,;<>()`\".]")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
"""A DNS name (RFC 1123 section 2.1), with the underscores that occur in private networks."""
_DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")


@lru_cache(maxsize=8192)
def a_labels(domain: str) -> str:
    """Return a domain in lower case and ASCII, without a dot at the end.

    Raises ValueError for a domain that has no such form under IDNA 2008 and UTS 46 (non-transitional).
    """
    name = domain.rstrip(".\u3002\uff0e\uff61")
    if name.isascii() and "xn--" not in name.lower():
        return name.lower()
    import idna  # noqa: PLC0415 - most domains are ASCII, and its tables take time to load

    try:
        found = idna.encode(name, uts46=True, transitional=False, std3_rules=False)
    except idna.IDNAError as error:
        raise ValueError(f"{domain!r} is not a domain under IDNA 2008: {error}") from None
    return found.decode("ascii")


def with_a_label(text: str) -> str:
    """Return a host, an address or a URL for display: with its A-label if its host is not ASCII.

    Letters of different scripts look alike; A-labels do not.
    """
    place = text.partition("://")[2].partition("/")[0] if "://" in text else text
    domain = re.sub(r":[0-9]*$", "", place.rpartition("@")[2])
    if domain.isascii():
        return text
    try:
        return f"{text} ({a_labels(domain)})"
    except ValueError:
        return f"{text} (not a valid domain)"


def with_a_labels(sentence: str) -> str:
    """Return a sentence with the A-label of every non-ASCII domain of an address in it."""
    return _ADDRESS.sub(lambda match: with_a_label(match[0]), sentence)


def domain_key(domain: str) -> str:
    """Return the spelling for comparing domains.

    An invalid domain is returned in lower case, and equals no valid one.
    """
    try:
        return a_labels(domain)
    except ValueError:
        return domain.rstrip(".").lower()


def pattern_key(pattern: str) -> str:
    """Return the spelling for comparing a shell pattern of hosts, label by label."""
    labels = (
        label.lower() if label.isascii() else domain_key(label) for label in _DOTS.split(pattern)
    )
    return ".".join(labels).rstrip(".")


def address_key(address: str) -> str:
    """Return the spelling for comparing addresses: case-folded, in NFC, the domain as A-labels.

    RFC 5321 section 2.4 allows case-sensitive local parts but discourages them. A name without an ``@``
    is a local part.
    """
    if address.isascii() and "xn--" not in (key := address.lower()):
        return key.rstrip(".") if "@" in key else key
    local, at, domain = address.rpartition("@")
    return f"{_local_key(local)}@{domain_key(domain)}" if at else _local_key(address)


def _local_key(name: str) -> str:
    """Fold case, and compose characters such as é: keyboards and file systems differ in that."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())


@lru_cache(maxsize=8192)
def is_valid(domain: str) -> bool:
    """Whether a domain, or an IP address in brackets, is valid."""
    try:
        name = a_labels(domain.strip("[]"))
    except ValueError:
        return False
    return _is_ip_address(name) or (not domain.startswith("[") and bool(_NAME.fullmatch(name)))


def is_valid_glob(host: str) -> bool:
    """Whether a host, or ``*.`` and a domain, has a form that the network knows; others allow nothing."""
    return is_valid(host.removeprefix("*."))


def _is_ip_address(name: str) -> bool:
    try:
        # The prefix is that of a domain in an address (RFC 5321 section 4.1.3).
        ip_address(name.removeprefix("ipv6:"))
    except ValueError:
        return False
    return True
