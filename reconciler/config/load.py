"""From a folder of YAML files to a snapshot, or to all problems in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.config.catalogue import Catalogue, catalogue
from reconciler.config.checks import run
from reconciler.config.documents import Parsed, parse
from reconciler.config.expansion import expand
from reconciler.config.files import decode, find_all, read, shown, with_files
from reconciler.config.plain_yaml import read_documents
from reconciler.config.raw import Composed, RawDocument
from reconciler.config.resolved import ResolvedConfiguration
from reconciler.config.rules import problem, settled
from reconciler.config.settings import DEFAULTS
from reconciler.config.variables import Variables
from reconciler.diagnostics import Diagnostic
from reconciler.model.canonical import configuration_digest
from reconciler.model.provider import Provider
from reconciler.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.config.files import SourceFile
    from reconciler.config.settings import Settings
    from reconciler.model.address import Address

Reader = Callable[[str, str], Composed]
"""Reads the documents of a text; the other argument is the name of its file in diagnostics."""

Parser = Callable[[RawDocument], Parsed]
"""Validates a document."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration.

    ``diagnostics`` are sorted by file, line and column. ``snapshot`` is None if any of them is an
    error. ``renames`` pairs new names of connectors with old ones. ``files`` and ``documents``
    count what was read. ``environment`` is the one that it was read for, if any. ``known`` are the documents.
    """

    diagnostics: tuple[Diagnostic, ...]
    snapshot: Snapshot | None
    renames: tuple[tuple[str, str], ...]
    files: int
    documents: int
    environment: str = ""
    known: Catalogue | None = field(default=None, repr=False, compare=False)

    @property
    def written(self) -> Mapping[Address, RawDocument]:
        """The document of each resource, with the positions of its values."""
        return self.known.documents() if self.known is not None else {}

    @property
    def digest(self) -> str:
        """What identifies the configuration's meaning, independent of its layout; empty without a snapshot."""
        if self.snapshot is None:
            return ""
        return configuration_digest(self.snapshot, self.renames)


class _Source(Struct, frozen=True):
    documents: tuple[RawDocument, ...]
    diagnostics: tuple[Diagnostic, ...]
    complete: bool
    signs: bool = True


def load(
    *roots: Path,
    providers: Iterable[Provider] | None = None,
    settings: Settings = DEFAULTS,
    environment: str = "",
    within: Path | None = None,
    files: tuple[Path, ...] = (),
    found: SourceFile | None = None,
    texts: Mapping[Path, str] | None = None,
    read_as: Reader = read_documents,
    parse_as: Parser = parse,
) -> Loaded:
    """Load every YAML file below ``roots``, as one configuration; none may lead out of ``within``.

    ``files`` are read as well, unless they are below one of the roots. ``found`` are the files
    below the roots, if they were already listed. ``texts`` replace the contents of the files at
    these paths. ``read_as`` reads a text and ``parse_as`` a document, so that known ones need not be
    read again.
    ``environment`` selects the values of variables. ``providers`` are those besides the user's own;
    by default, the built-in ones. Uses neither secrets nor the network, and raises nothing,
    whatever the files contain.
    """
    if found is None:
        found = find_all(roots, within=within)
    found = with_files(found, files)
    variables = Variables.of(settings, environment)
    sources = [
        _source(texts[path] if texts and path in texts else read(path), shown(path), read_as)
        for path in found.paths
    ]
    written = [(item, source.signs) for source in sources for item in source.documents]
    readable = not found.diagnostics and all(source.complete for source in sources)
    expanded = expand(written, variables, complete=readable)
    parsed = [parse_as(document) for document in expanded.documents]
    known = catalogue(
        parsed,
        built_in_providers() if providers is None else providers,
        complete=readable and expanded.complete,
    )
    subject = ResolvedConfiguration(known, settings)
    ordered = settled(
        (
            *found.diagnostics,
            *(diagnostic for source in sources for diagnostic in source.diagnostics),
            *expanded.diagnostics,
            *(diagnostic for item in parsed for diagnostic in item.diagnostics),
            *run(subject),
        )
    )
    if any(diagnostic.is_error for diagnostic in ordered):
        return Loaded(ordered, None, (), len(found.paths), len(written), environment=environment)
    snapshot = subject.snapshot()
    renames = tuple(
        (entry.value.name, entry.value.renamed_from)
        for _, entry in sorted(known.connectors.items())
        if entry.value.renamed_from is not None
    )
    return Loaded(
        ordered,
        snapshot,
        renames,
        len(found.paths),
        len(written),
        environment=environment,
        known=known,
    )


_PROVIDERS: Final = Path(__file__).parents[1] / "providers"


@cache
def built_in_providers() -> tuple[Provider, ...]:
    """The providers of the package, read as a user's own are.

    Raises RuntimeError if one is not valid, which would be a bug in the package.
    """
    found: list[Provider] = []
    for item in sorted(_PROVIDERS.iterdir(), key=lambda item: item.name):
        if not item.name.endswith((".yaml", ".yml")):
            continue
        source = _source(decode(item.read_bytes(), item.name), item.name)
        read_in = [parse(document) for document in source.documents]
        diagnostics = (*source.diagnostics, *(d for item in read_in for d in item.diagnostics))
        if any(diagnostic.is_error for diagnostic in diagnostics):
            where = ", ".join(f"{item.location}: {item.rule}" for item in diagnostics)
            raise RuntimeError(f"a built-in provider is not valid: {where}")
        found += (
            entry.value
            for entry in (parsed.entry for parsed in read_in)
            if entry is not None and isinstance(entry.value, Provider)
        )
    return tuple(found)


def used_providers(snapshot: Snapshot) -> tuple[Provider, ...]:
    """The providers that connectors use; a built-in one keeps its values despite a namesake."""
    known = {item.name: item for item in (*snapshot.providers, *built_in_providers())}
    used = dict.fromkeys(item.provider for item in snapshot.connectors if item.provider)
    return tuple(known[name] for name in used if name in known)


def _source(text: str | Diagnostic, file: str, read_as: Reader = read_documents) -> _Source:
    if isinstance(text, Diagnostic):
        return _Source((), (text,), complete=False)
    composed = read_as(text, file)
    empty: tuple[Diagnostic, ...] = ()
    if not composed.documents and not composed.diagnostics:
        message = "The file contains no document."
        empty = (problem("file/empty", message, hint="Delete it, or add a document.", file=file),)
    signs = "${" in text or "\\" in text  # an escape may encode either of the two
    return _Source(composed.documents, composed.diagnostics + empty, composed.readable, signs)
