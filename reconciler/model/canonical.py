"""The canonical text of resources, written directly: a plan needs tens of thousands.

It equals ``canonical_json(spec_of(resource))``, without the intermediate plain values.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from json.encoder import encode_basestring
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.resource import canonical_json, to_plain
from reconciler.model.secret_ref import SecretRef
from reconciler.values import field_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import Snapshot


class CanonicalText(str):
    """Canonical JSON, which stands for its value in a document that is digested."""

    __slots__ = ()


def canonical_text(resource: Resource) -> str:
    """The canonical JSON of a resource's specification: equal resources have equal texts."""
    kind = type(resource)
    write = _RESOURCES.get(kind)
    if write is None:
        write = _RESOURCES[kind] = _VALUES.of_fields(kind, without="kind")
    return write(resource)


def document_digest(document: object) -> str:
    """The digest of a document: of its canonical JSON, with the fields that are None."""
    return digest_of_text(document_text(document))


def document_text(document: object) -> CanonicalText:
    """The canonical JSON of a document, or of a part of one, with the fields that are None."""
    return CanonicalText(_WITH_NULLS[type(document)](document))


def digest_of_text(text: str) -> str:
    """The digest of canonical JSON text, equal to that of the value it represents."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def configuration_digest(snapshot: Snapshot, renames: tuple[tuple[str, str], ...] = ()) -> str:
    """The digest of what a configuration means: of the canonical JSON of its renames and resources."""
    found = hashlib.sha256(f'{{"renames":{canonical_json(dict(renames))},"resources":{{'.encode())
    named = sorted((str(item.address), item) for item in snapshot.resources)
    for number, (address, item) in enumerate(named):
        comma = "," if number else ""
        found.update(f"{comma}{encode_basestring(address)}:{canonical_text(item)}".encode())
    found.update(b"}}")
    return f"sha256:{found.hexdigest()}"


class _Writers(dict[type[Any], "Callable[[Any], str]"]):
    """The writers of each type's values, made on first use.

    Fields that are None are omitted unless ``nulls`` is set.
    """

    def __init__(self, *, nulls: bool = False) -> None:
        super().__init__()
        self._nulls = nulls
        self[str] = encode_basestring
        self[bool] = {True: "true", False: "false"}.__getitem__
        self[int] = int.__repr__
        self[tuple] = self[list] = self._items
        self[dict] = self._mapping
        self[CanonicalText] = str
        self[SecretRef] = lambda value: encode_basestring(f"{value.scheme}:{value.target}")

    def __missing__(self, kind: type[Any]) -> Callable[[Any], str]:
        self[kind] = found = self._made(kind)
        return found

    def _made(self, kind: type[Any]) -> Callable[[Any], str]:
        if field_names(kind):
            return self.of_fields(kind)
        if issubclass(kind, Enum):
            return {item: canonical_json(item.value) for item in kind}.__getitem__
        return lambda value: canonical_json(to_plain(value, nulls=self._nulls))

    def _items(self, value: Any) -> str:
        texts = [
            encode_basestring(item) if type(item) is str else self[type(item)](item)
            for item in value
        ]
        return f"[{','.join(texts)}]"

    def _mapping(self, value: Any) -> str:
        named = [(str(name), value[name]) for name in sorted(value, key=str)]
        return f"{{{','.join([f'{encode_basestring(name)}:{self[type(item)](item)}' for name, item in named])}}}"

    def of_fields(self, kind: type[Any], *, without: str = "") -> Callable[[Any], str]:
        """Write the fields of a dataclass by name."""
        names = sorted(name for name in field_names(kind) if name != without)
        starts = [f"{encode_basestring(name)}:" for name in names]
        values = attrgetter(*names, names[0])  # a tuple, even for a single field
        nulls = self._nulls

        def write(value: Any) -> str:
            parts = []
            for start, item in zip(starts, values(value), strict=False):
                if item is None and not nulls:
                    continue
                type_ = type(item)
                parts.append(
                    start + (encode_basestring(item) if type_ is str else self[type_](item))
                )
            return f"{{{','.join(parts)}}}"

        return write


_RESOURCES: dict[type[Any], Callable[[Any], str]] = {}
_VALUES: Final = _Writers()
_WITH_NULLS: Final = _Writers(nulls=True)
