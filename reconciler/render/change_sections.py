"""The changes of a plan in sections for a pull request comment: one for each connector, or group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from reconciler.model.address import Kind
from reconciler.plan.alike import AlikeChanges, grouped
from reconciler.plan.changes import Create, Delete, Forget, Rename, RotateSecret, Update
from reconciler.render.human.changes import change_text, part_text, several
from reconciler.render.terminal import Style
from reconciler.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.address import Address
    from reconciler.plan.changes import Change
    from reconciler.plan.planner import Plan

_WIDE: Final = Style(colour=False, width=160)


def change_sections(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """The changes by connector: a title, the owner, and the text. Similar ones are grouped."""
    groups: dict[str | int, list[Change | AlikeChanges]] = {}
    for number, part in enumerate(grouped(plan.changes)):
        key = number if isinstance(part, AlikeChanges) else _subject(part.address)
        groups.setdefault(key, []).append(part)
    for key, parts in groups.items():
        first = parts[0]
        if isinstance(first, AlikeChanges):
            does = _does(first.changes[0]).partition(" from ")[0]
            names = listed([item.name for item in first.addresses])
            yield (
                f"{several(len(first.changes), first.kind)} {does} alike",
                names,
                part_text(first, _WIDE, sources=plan.sources),
            )
            continue
        changes = [item for item in parts if not isinstance(item, AlikeChanges)]
        does = ", ".join(
            _does(item) if key == str(item.address) else f"{item.address.kind} {_does(item)}"
            for item in changes
        )
        texts = (
            change_text(item, _WIDE, source=plan.sources.get(item.address)) for item in changes
        )
        yield f"{key}: {does}", str(key), "\n\n".join(texts)


def _subject(address: Address) -> str:
    of_a_connector = address.kind in (Kind.EMAIL_CONNECTOR, Kind.PERMISSIONS)
    return address.name if of_a_connector else str(address)


def _does(change: Change) -> str:
    match change:
        case Create():
            return "created"
        case Delete():
            return "destroyed"
        case Forget():
            return "forgotten"
        case Rename():
            return f"renamed from {change.before.address.name}"
        case RotateSecret():
            return "with a rotated secret"
        case Update():
            return "updated"
        case _:
            assert_never(change)
