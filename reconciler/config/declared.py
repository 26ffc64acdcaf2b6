"""The names that the files of a configuration declare, valid or not, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.config.compose import compose
from reconciler.config.expansion import TABLE, TEMPLATE
from reconciler.config.files import find_all, read, shown
from reconciler.diagnostics import Diagnostic
from reconciler.model.address import Address, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconciler.config.raw import RawDocument

_KINDS = frozenset(str(kind) for kind in Kind)
_LABELLED = (str(Kind.EMAIL_CONNECTOR), TEMPLATE, TABLE)


def declared(roots: Sequence[Path], *, within: Path | None = None) -> dict[Address, str]:
    """Every name with the place of its first document, as ``file:line``; skips unreadable files."""
    found: dict[Address, str] = {}
    for document, value in _documents(roots, within):
        kind, name = value.get("kind"), value.get("name")
        if isinstance(kind, str) and kind in _KINDS and isinstance(name, str):
            line = document.positions.of(("name",)).line
            found.setdefault(Address(Kind(kind), name), f"{document.file}:{line}")
        if kind == TABLE and isinstance(value.get("connectors"), dict):
            for row in value["connectors"]:
                line = document.positions.of_key(("connectors", row)).line
                found.setdefault(Address(Kind.EMAIL_CONNECTOR, row), f"{document.file}:{line}")
    return found


def declared_labels(roots: Sequence[Path], *, within: Path | None = None) -> frozenset[str]:
    """Every label of a connector, read in the same way."""
    return frozenset(
        label
        for _, value in _documents(roots, within)
        if value.get("kind") in _LABELLED and isinstance(value.get("labels"), list)
        for label in value["labels"]
        if isinstance(label, str)
    )


def _documents(
    roots: Sequence[Path], within: Path | None
) -> Iterator[tuple[RawDocument, dict[str, Any]]]:
    for path in find_all(roots, within=within).paths:
        text = read(path)
        if isinstance(text, Diagnostic):
            continue
        for document in compose(text, shown(path)).documents:
            if isinstance(document.value, dict):
                yield document, document.value
