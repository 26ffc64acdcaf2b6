"""Resources of any kind: they are planned, stored and compared."""

from __future__ import annotations

import hashlib
import json
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from reconciler.model.application import Application
from reconciler.model.connector import Connector
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.secret_ref import SecretRef
from reconciler.values import field_names

if TYPE_CHECKING:
    from pydantic import JsonValue

    JSON: TypeAlias = JsonValue
else:
    JSON = Any
"""Any JSON value."""

Resource = Connector | Permissions | GlobalSmtpPolicy | Group | Roles | Provider | Application
"""Every kind of resource that a built configuration contains."""


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_SCALARS = frozenset({str, int, bool, float})


def to_plain(value: object, *, nulls: bool = False) -> JSON:
    """Convert a value to JSON: fields by name, references as text.

    Fields that are None are omitted unless ``nulls`` is set.
    """
    kind: type[Any] = type(value)
    if value is None or kind in _SCALARS:
        return cast("JSON", value)
    if kind is not SecretRef and (names := field_names(kind)):
        items = [getattr(value, name) for name in names]
        return {
            name: item if type(item) in _SCALARS else to_plain(item, nulls=nulls)
            for name, item in zip(names, items, strict=True)
            if nulls or item is not None
        }
    if isinstance(value, SecretRef | Enum):
        return str(value) if isinstance(value, SecretRef) else cast("str", value.value)
    if isinstance(value, dict):
        return {str(name): to_plain(item, nulls=nulls) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item, nulls=nulls) for item in value]
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a document")


def spec_of(resource: Resource) -> dict[str, JSON]:
    """The canonical specification of a resource: equal resources have equal specifications."""
    plain = to_plain(resource)
    if not isinstance(plain, dict):
        raise TypeError(f"not a resource: {type(resource).__name__}")
    plain.pop("kind", None)
    return plain


def canonical_json(value: JSON) -> str:
    """Canonical JSON: sorted keys, no blanks, unescaped UTF-8."""
    return _CANONICAL.encode(value)


def digest(value: JSON) -> str:
    """Return ``sha256:`` and the hexadecimal digest of the canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical_json(value).encode()).hexdigest()
