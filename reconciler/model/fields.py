"""Constrained types for the fields of documents.

Each means the same in the model and in its JSON Schema. An optional field is ``Maybe[...]``: an
explicit null is rejected, because an empty ``password:`` is most likely a forgotten value.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from reconciler.model.constraints import Matches, NotNull, Refers, Whole
from reconciler.model.secret_ref import REFERENCE_PATTERN, SecretRef

T = TypeVar("T")

# No control characters, bidirectional marks or zero-width blanks: a plan must show reviewers exactly
# what is there. (U+FEFF is a blank to ECMA-262's \s, but not to Python's: listing it makes the patterns
# equal in both.)
_INVISIBLE = r"\x00-\x1F\x7F-\x9F\u061C\u200B\u200E\u200F\u2028-\u202E\u2060\u2066-\u2069\uFEFF"

NAME_PATTERN = "^[a-z][a-z0-9-]{0,62}$"
PROVIDER_NAME_PATTERN = "^[a-z0-9][a-z0-9.-]{0,62}$"
LABEL_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._/=-]{0,62}$"
TEXT_PATTERN = rf"^[^{_INVISIBLE}]{{1,200}}$"
PRINCIPAL_PATTERN = rf"^[^\s{_INVISIBLE},;<>]{{1,254}}$"
USERNAME_PATTERN = (
    f"^(?:{PRINCIPAL_PATTERN.strip('^$')}|{REFERENCE_PATTERN.removeprefix('^').removesuffix('$')})$"
)
ADDRESS_PATTERN = rf"^[^\s{_INVISIBLE}@,;<>]{{1,64}}@[^\s{_INVISIBLE}@,;<>]{{1,253}}$"
# A colon occurs only in an IPv6 address; after a name it would start a port, which has its own field.
HOST_PATTERN = (
    rf"^(?:(?!-)[^\s{_INVISIBLE}@/,;<>:]{{1,253}}"
    r"|\[?[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})?\]?)$"
)
# A domain in braces stands for the domain of the connector that uses it.
SERVER_PATTERN = rf"^(?:(?!-)(?:[^\s{_INVISIBLE}@/,;<>:{{}}]|\{{domain\}}){{1,253}}|{HOST_PATTERN.partition('|')[2]}"
HOST_GLOB = r"^(\*\.)?[^\s\uFEFF\x00-\x1F\x7F-\x9F*?\[\]@/,;<>]{1,251}$"
DATE_PATTERN = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
HTTPS_PATTERN = rf"^https://[^\s{_INVISIBLE}]{{1,500}}$"

Maybe = Annotated[T | None, NotNull()]
"""A field that may be omitted, but not null."""

Name = Annotated[str, Matches(NAME_PATTERN)]
"""The stable identifier of a resource."""

ProviderName = Annotated[str, Matches(PROVIDER_NAME_PATTERN)]
"""The identifier of a provider; unlike other names it may contain a dot (``outlook.com``)."""

Label = Annotated[str, Matches(LABEL_PATTERN)]
"""A word to select connectors by, such as ``hr`` or ``team=hr``."""

Text = Annotated[str, Matches(TEXT_PATTERN)]
"""A line of text for people: 1 to 200 characters, none of them invisible."""

Principal = Annotated[str, Matches(PRINCIPAL_PATTERN)]
"""A user: an email address, or the login name that CI or the OS reports."""

Username = Annotated[str, Matches(USERNAME_PATTERN)]
"""The user name for a server, or a reference to it."""

EmailAddress = Annotated[str, Matches(ADDRESS_PATTERN)]
"""An address in the form local@domain (RFC 5321 section 4.1.2, quoted local parts left out)."""

Host = Annotated[str, Matches(HOST_PATTERN)]
"""A host name or an IP address; an internationalised name as people write it."""

ServerOfProvider = Annotated[str, Matches(SERVER_PATTERN)]
"""A host as ``Host`` is; ``{domain}`` in a name stands for the domain of a connector."""

HostGlob = Annotated[str, Matches(HOST_GLOB)]
"""A host name, or ``*.`` and a domain: every name below it."""

HttpsUrl = Annotated[str, Matches(HTTPS_PATTERN)]
"""An endpoint to which credentials may be sent."""

Seconds = Annotated[int, Whole(1, 3600)]
"""A time limit."""

Limit = Annotated[int, Whole(1, 100_000)]
"""The most of something."""

Port = Annotated[int, Whole(1, 65535)]
"""A TCP port."""

Reference = Annotated[SecretRef, Refers()]
"""A reference to a secret: ``env:NAME``, ``file:/path``."""

IsoDate = Annotated[str, Matches(DATE_PATTERN)]
"""A day, as in 2026-12-31 (ISO 8601)."""
