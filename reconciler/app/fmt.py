"""Formatting the files of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.app.atomic_file import unwritable, write_wholly
from reconciler.app.project_folder import SETTINGS_FILE
from reconciler.config.files import MAX_BYTES, decode, find, read_bytes, shown
from reconciler.config.formatting import Formatted, Left, formatted
from reconciler.config.plain_yaml import read_documents
from reconciler.config.template_documents import KINDS
from reconciler.diagnostics import Diagnostic
from reconciler.errors import ConfigurationInvalid, ReconcilerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconciler.app.workspace import Workspace
    from reconciler.config.raw import Composed

STANDARD_INPUT = "<stdin>"
"""The name of a text that is not in a file."""

_AGAIN = "Their changes are kept. Run it again."


class Layout(Struct, frozen=True):
    """A file, and whether its layout changed.

    ``before`` and ``after`` are its text. ``left`` are the documents that could not be laid out;
    ``diagnostics`` say why the file could not be read at all.
    """

    path: Path
    changed: bool = False
    left: tuple[Left, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    before: str = ""
    after: str = ""


class _Read(Struct, frozen=True):
    """A file before and after formatting."""

    layout: Layout
    before: bytes = b""
    after: str = ""


def format_files(
    workspace: Workspace, paths: Sequence[Path] = (), *, write: bool
) -> Iterator[Layout]:
    """Format files and everything below folders; by default the configuration and the settings.

    Only white space changes, and only in files that hold a document with a ``kind`` of ours, or the
    settings. Everything is read before anything is written. Raises UsageError for a folder that holds none
    of ours, and ReconcilerError if a file cannot be written.
    """
    project = workspace.project
    settings, roots = project.settings_file, project.roots
    if not paths:
        workspace.require_project()
    found: list[_Read] = []
    for place in paths or (*roots, *((settings,) if settings.exists() else ())):
        if place not in roots and not place.is_dir():
            found.append(_read(place, settings=place.name == SETTINGS_FILE, named=True))
        else:
            found += _read_folder(place, None if paths else project.bounds_of_roots)
    for item in found:
        if write and item.layout.changed:
            _write(item)
        yield item.layout


def _read_folder(folder: Path, within: Path | None) -> list[_Read]:
    files = find(folder, within=within)
    found = [_Read(Layout(folder, diagnostics=(item,))) for item in files.diagnostics]
    # A link is another name of a file, which is formatted in its own place.
    read = [_read(path) for path in files.paths if not path.is_symlink() or not path.exists()]
    if files.paths and not any(item.before or item.layout.diagnostics for item in read):
        raise UsageError(
            f"{folder} contains no reconciler document",
            hint=f"Each of its documents has a `kind`: {', '.join(KINDS)}.",
        )
    return found + [item for item in read if item.before or item.layout.diagnostics]


def format_text(data: bytes, name: str = STANDARD_INPUT) -> Formatted:
    """Format one text; raises ConfigurationInvalid, naming it ``name``, if it is not YAML."""
    text = decode(data, name)
    if isinstance(text, Diagnostic):
        raise ConfigurationInvalid((text,))
    composed = read_documents(text, name)
    if not composed.readable:
        raise ConfigurationInvalid(composed.diagnostics)
    return formatted(text)


def _read(path: Path, *, settings: bool = False, named: bool = False) -> _Read:
    """Read and format a file; one without our documents is returned without its text."""
    before = read_bytes(path)
    if isinstance(before, Diagnostic):
        return _Read(Layout(path, diagnostics=(before,)))
    text = decode(before, shown(path))
    if isinstance(text, Diagnostic):
        return _Read(Layout(path, diagnostics=(text,)))
    composed = read_documents(text, shown(path))
    if not composed.readable:
        return _Read(Layout(path, diagnostics=composed.diagnostics))
    if not settings and not _is_ours(composed):
        if named:
            raise UsageError(
                f"{path} contains no reconciler document",
                hint=f"A document has a `kind`: {', '.join(KINDS)}.",
            )
        return _Read(Layout(path))
    new = formatted(text)
    if len(new.text.encode()) > MAX_BYTES:
        return _Read(Layout(path, left=(Left(1, "it would become too large"),)), before)
    changed = new.text.encode() != before
    return _Read(
        Layout(path, changed=changed, left=new.left, before=text, after=new.text), before, new.text
    )


def _is_ours(composed: Composed) -> bool:
    """Whether a file contains a document with one of our kinds, or no document."""
    kinds = {
        str(document.value.get("kind"))
        for document in composed.documents
        if isinstance(document.value, dict)
    }
    return not composed.documents or not kinds.isdisjoint(KINDS)


def _write(item: _Read) -> None:
    path = item.layout.path
    try:
        if path.read_bytes() != item.before:
            raise ReconcilerError(
                f"{path} was changed by another program in the meantime", hint=_AGAIN
            )
        write_wholly(path, item.after, like=path)
    except OSError as error:
        raise unwritable(path, error) from error
