"""How the fields of a connector and those of its template combine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reconciler.model.resource import JSON

_REPLACES: Final = {
    "password": ("oauth2", "sign_in"),
    "oauth2": ("password", "sign_in"),
    "username": ("sign_in",),
    "sign_in": ("username", "password", "oauth2", "use_same_credentials"),
    "use_ssl": ("security",),
    "security": ("use_ssl",),
    "client_secret": ("certificate",),
    "certificate": ("client_secret",),
}
"""Fields that exclude others: a mapping that sets the first inherits none of the others."""


def combine(own: dict[str, JSON], template: dict[str, JSON]) -> dict[str, JSON]:
    """Return the fields of a connector: its own, and the template's for the rest.

    Mappings are merged field by field. Anything else, lists included, is taken whole from one
    of the two.
    """
    if not own:
        return template
    excluded = {other for field in own for other in _REPLACES.get(field, ())}
    found = {name: value for name, value in template.items() if name not in excluded}
    for name, value in own.items():
        other = found.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            found[name] = combine(value, other)
        else:
            found[name] = value
    return found
