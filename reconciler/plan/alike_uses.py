"""Groups similar uses of secrets, and finds options that allow many of them.

Uses are similar only if they differ in nothing but the connector's name: the pattern determines each
reference and destination, so nothing is hidden from the person who approves them.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.credential_rule import CredentialRule, is_reserved
from reconciler.plan.alike import FEWEST, pattern_of
from reconciler.wording import BLOCKS, NAMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.plan.credentials import NewCredentialUse
    from reconciler.plan.document import CredentialUseDocument
    from reconciler.plan.limits import LimitViolation


class AlikeUses(Struct, frozen=True):
    """Similar uses; a single one is a group as well.

    ``${name}`` in the texts stands for the name of the connector or application, ``${NAME}`` for it in
    capitals with underscores. ``before`` are places where the secret was applied, ``others`` counts more.
    """

    protocol: str
    names: tuple[str, ...]
    reference: str
    same_as: tuple[str, ...]
    before: tuple[str, ...]
    others: int
    after: str


def grouped_uses(
    items: Sequence[NewCredentialUse | CredentialUseDocument],
    first: frozenset[NewCredentialUse] = frozenset(),
) -> tuple[AlikeUses, ...]:
    """The uses in groups: those in the set ``first``, then secrets known elsewhere."""
    found: dict[_Shape, list[NewCredentialUse | CredentialUseDocument]] = {}
    for item in items:
        found.setdefault(_shape(item, first), []).append(item)
    groups: list[tuple[tuple[bool, bool], AlikeUses]] = []
    for shape, uses in found.items():
        if len(uses) >= FEWEST:
            groups.append((shape.rank, _group(shape, uses)))
        else:
            groups += [(shape.rank, _single(item)) for item in uses]
    return tuple(group for _, group in sorted(groups, key=lambda pair: pair[0]))


class _Shape(Struct, frozen=True):
    """The key that similar uses share."""

    rank: tuple[bool, bool]
    protocol: str
    reference: str
    same_as: tuple[str, ...]
    before: tuple[str, ...]
    elsewhere: bool
    after: str


def _shape(
    item: NewCredentialUse | CredentialUseDocument, first: frozenset[NewCredentialUse]
) -> _Shape:
    def pattern(value: object) -> str:
        return str(pattern_of(str(value), item.connector))

    places = tuple(map(str, item.before))
    own = tuple(shown for place in places if (shown := pattern(place)) != place) or places
    return _Shape(
        (item not in first, not (item.before or item.same_as)),
        item.protocol,
        pattern(item.reference),
        tuple(map(pattern, item.same_as)),
        own,
        bool(item.others) or len(own) < len(places),
        pattern(item.after),
    )


def _group(shape: _Shape, uses: list[NewCredentialUse | CredentialUseDocument]) -> AlikeUses:
    others = min(item.others + len(item.before) for item in uses) - len(shape.before)
    return AlikeUses(
        shape.protocol,
        tuple(item.connector for item in uses),
        shape.reference,
        shape.same_as,
        shape.before,
        others if shape.elsewhere else 0,
        shape.after,
    )


def _single(item: NewCredentialUse | CredentialUseDocument) -> AlikeUses:
    return AlikeUses(
        item.protocol,
        (item.connector,),
        str(item.reference),
        tuple(map(str, item.same_as)),
        tuple(map(str, item.before)),
        item.others,
        str(item.after),
    )


def pending_uses(violations: Iterable[LimitViolation]) -> tuple[NewCredentialUse, ...]:
    """The uses that wait for approval."""
    return tuple(use for item in violations for use in item.uses)


def can_be_shown(uses: Sequence[NewCredentialUse]) -> bool:
    """Whether a terminal shows all of them, so that a person who saw it can answer."""
    return len(grouped_uses(uses)) <= BLOCKS


def credential_options(uses: Iterable[NewCredentialUse]) -> tuple[str, ...]:
    """The options that allow these uses: pairs if there are few, else providers and patterns.

    A variable of the pipeline is always named in full.
    """
    exact: dict[CredentialRule, None] = {}
    patterns: dict[CredentialRule, None] = {}
    by_host: dict[str, list[str]] = {}
    for use in uses:
        pair = CredentialRule(str(use.reference), use.after.host_name)
        exact[pair] = None
        if is_reserved(use.reference):
            patterns[pair] = None
        elif use.provider:
            patterns[CredentialRule(f"provider:{use.provider}")] = None
        else:
            by_host.setdefault(pair.hosts, []).append(pair.references)
    if len(exact) > NAMED:
        for host, references in by_host.items():
            patterns[CredentialRule(_pattern(references), host)] = None
        exact = patterns
    return tuple(f"--allow-credential {quote(str(rule))}" for rule in exact)


def _pattern(references: list[str]) -> str:
    """One reference, or a pattern for all of them within their scheme."""
    distinct = sorted(set(references))
    if len(distinct) == 1:
        return distinct[0]
    first, last = (
        distinct[0],
        distinct[-1],
    )  # everything sorted between them shares their common prefix
    differs = (
        place for place, pair in enumerate(zip(first, last, strict=False)) if len({*pair}) > 1
    )
    shared = first[: next(differs, len(first))]
    return f"{shared}*" if ":" in shared else "*"
