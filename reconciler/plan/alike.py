"""Changes that are alike: many resources of one kind that are created, changed or deleted in the same way.

Mailboxes of one template differ only in their identity. So a value that contains the name of the
resource is compared by its pattern, and the fields that identify an account may differ, within one
domain and one kind of reference. Everything else must be equal.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, assert_never

from msgspec import Struct

from reconciler.model.connector import Connector
from reconciler.model.resource import JSON, Resource, spec_of
from reconciler.plan.changes import Change, Create, Delete, Forget, Rename, RotateSecret, Update
from reconciler.plan.diff import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.address import Address, Kind

FEWEST: Final = 3
"""The smallest number of changes that makes a group; fewer are listed one by one."""

ROTATED: Final = "rotated_secret"
"""The path of a reference whose secret was rotated."""

_NAMES: Final = ("name", "connector")
_WHO: Final = frozenset(
    (*_NAMES, "display_name", "from_name", "email_address", "reply_to", "user", "username", "password",
     "client_id", "client_secret", "certificate", "refresh_token", ROTATED)
)  # fmt: skip
"""The last part of the paths of fields that identify an account, or refer to its secret."""

_FREE: Final = frozenset((*_NAMES, "display_name", "from_name"))
"""Those that may differ in any way."""

FieldForm: TypeAlias = Literal["same", "by_name", "differs"]


class AlikeField(Struct, frozen=True):
    """A field that all resources of a group have or change.

    With the form ``by_name``, ``before`` and ``after`` are patterns: ``${name}`` stands for the name of
    the resource, ``${NAME}`` for the name in capitals and underscores. With ``differs`` they are None,
    and ``values`` holds each distinct pair.
    """

    path: str
    form: FieldForm
    before: JSON
    after: JSON
    values: tuple[tuple[JSON, JSON], ...] = ()


class AlikeChanges(Struct, frozen=True):
    """Similar changes of one kind of resource, in the order of the plan.

    ``provider`` is the shared one, if they are connectors.
    """

    changes: tuple[Change, ...]
    fields: tuple[AlikeField, ...]
    provider: str | None = None

    @property
    def kind(self) -> Kind:
        """The kind of the resources."""
        return self.changes[0].address.kind

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses of the resources."""
        return tuple(item.address for item in self.changes)


def alike(changes: Iterable[Change]) -> tuple[AlikeChanges, ...]:
    """Only the groups, each in the position of its first change."""
    return tuple(item for item in grouped(changes) if isinstance(item, AlikeChanges))


def grouped(changes: Iterable[Change]) -> tuple[Change | AlikeChanges, ...]:
    """Every change in order; similar ones are grouped in the position of the first."""
    found: dict[str, list[_Placed]] = {}
    for place, change in enumerate(changes):
        fields = _leaves(change)
        found.setdefault(_shape(change, fields), []).append((place, change, fields))
    # Groups are in the order of their first change; too small ones are dissolved, and each of their
    # changes returns to its own position.
    parts: list[tuple[int, Change | AlikeChanges]] = []
    for group in found.values():
        if len(group) < FEWEST:
            parts += [(place, item) for place, item, _ in group]
        else:
            parts.append((group[0][0], _group(group)))
    return tuple(item for _, item in sorted(parts, key=lambda part: part[0]))


_Leaf: TypeAlias = "tuple[str, JSON, JSON]"
_Placed: TypeAlias = "tuple[int, Change, list[_Leaf]]"
"""A change with its place in the plan, and the fields that it is about."""


def _leaves(change: Change) -> list[_Leaf]:
    """The path, the old and the new value of each field in a change."""
    match change:
        case Create(after):
            return [(path, None, value) for path, value in leaves(spec_of(after))]
        case Delete(before) | Forget(before):
            return [(path, value, None) for path, value in leaves(spec_of(before))]
        case Update(fields=fields) | Rename(fields=fields):
            return [(item.path, item.before, item.after) for item in fields]
        case RotateSecret(references=references):
            return [(ROTATED, None, str(reference)) for reference in references]
        case _:
            assert_never(change)


def _resources(change: Change) -> tuple[Resource, Resource]:
    """The resource before and after; the same where there is only one."""
    match change:
        case Create(after):
            return after, after
        case Delete(before) | Forget(before):
            return before, before
        case Update(before, after) | Rename(before, after):
            return before, after
        case RotateSecret(connector):
            return connector, connector
        case _:
            assert_never(change)


def _shape(change: Change, of: list[_Leaf]) -> str:
    """The key that similar changes share, as a text to compare."""
    before, after = _resources(change)
    provider = after.provider if isinstance(after, Connector) else None
    shape: list[JSON] = [type(change).__name__, change.address.kind.value, provider]
    was, now = before.address.name, after.address.name
    renamed = isinstance(change, Rename)
    for path, old, new in of:
        if renamed and path in _NAMES:
            shape.append([path])
        else:
            shape += (path, _class(path, old, was), _class(path, new, now))
    return repr(shape)


def _class(path: str, value: JSON, name: str) -> JSON:
    """The value; its pattern if it contains the name; the fixed part in a field that may differ."""
    if not isinstance(value, str | list):
        return value
    patterned = pattern_of(value, name)
    if patterned != value:
        return [patterned]
    field = path.rpartition(".")[2]
    if field not in _WHO or not isinstance(value, str):
        return value
    if field in _FREE:
        return {}
    _, at, domain = value.rpartition("@")
    scheme, colon, _ = value.partition(":")
    return {"domain": domain} if at else {"scheme": scheme if colon else ""}


def pattern_of(value: JSON, name: str) -> JSON:
    """The value with ``${name}`` in place of the name, and ``${NAME}`` in place of its capitals."""
    if isinstance(value, list):
        return [pattern_of(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if name in value:
        value = _replaced(value, name, "${name}")
    if (capitals := _in_capitals(name)) in value:
        value = _replaced(value, capitals, "${NAME}")
    return value


@lru_cache(maxsize=256)  # asked for each field of a resource in turn
def _in_capitals(name: str) -> str:
    return name.upper().replace("-", "_")


def _replaced(value: str, word: str, sign: str) -> str:
    """Replace a word by a placeholder wherever no letter or digit is adjacent."""
    found, begin = "", 0
    place = value.find(word)
    while place >= 0:
        end = place + len(word)
        alone = not value[place - 1 : place].isalnum() and not value[end : end + 1].isalnum()
        if alone:
            found += value[begin:place] + sign
            begin = end
        place = value.find(word, end if alone else place + 1)
    return found + value[begin:]


def _group(group: list[_Placed]) -> AlikeChanges:
    changes = tuple(change for _, change, _ in group)
    columns = zip(*(fields for _, _, fields in group), strict=True)
    names = [tuple(item.address.name for item in _resources(change)) for change in changes]
    after = _resources(changes[0])[1]
    return AlikeChanges(
        changes,
        tuple(_field(column, names) for column in columns),
        after.provider if isinstance(after, Connector) else None,
    )


def _field(column: tuple[_Leaf, ...], names: list[tuple[str, ...]]) -> AlikeField:
    path, before, after = column[0]
    pairs = {(_key(old), _key(new)): (old, new) for _, old, new in column}
    if len(pairs) == 1:
        return AlikeField(path, "same", before, after)
    # In a group, a value is equal, or has one pattern, or differs.
    patterns = (pattern_of(before, names[0][0]), pattern_of(after, names[0][-1]))
    told = [
        pattern != first or len({pair[side] for pair in pairs}) == 1
        for side, (pattern, first) in enumerate(zip(patterns, (before, after), strict=True))
    ]
    if all(told) and not _renamed(path, names):
        return AlikeField(path, "by_name", *patterns)
    return AlikeField(path, "differs", None, None, tuple(pairs.values()))


def _key(value: JSON) -> str | float | None:
    return repr(value) if isinstance(value, list | dict) else value


def _renamed(path: str, names: list[tuple[str, ...]]) -> bool:
    return path in _NAMES and names[0][0] != names[0][-1]
