"""Laying the files of a configuration out anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.app.atomic_file import write_wholly
from reconciler.app.workspace import SETTINGS_FILE
from reconciler.config.compose import compose
from reconciler.config.files import MAX_BYTES, decode, find, read_bytes, shown
from reconciler.config.formatting import Formatted, Left, formatted
from reconciler.diagnostics import Diagnostic
from reconciler.errors import ConfigurationInvalid, ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.app.workspace import Workspace

STANDARD_INPUT = "<stdin>"
"""What a text is called that is in no file."""

_AGAIN = "Nothing of theirs is lost. Run it again."


@dataclass(frozen=True, slots=True)
class Layout:
    """A file and whether it was laid out in another way before.

    ``left`` are the documents that could not be laid out; ``diagnostics`` say why the file could not be
    read at all.
    """

    path: Path
    changed: bool = False
    left: tuple[Left, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def format_files(
    workspace: Workspace, paths: Sequence[Path] = (), *, write: bool
) -> Iterator[Layout]:
    """Lay out files and all that is below folders: without any, the configuration and the settings.

    Only white space changes. Files that are no YAML stay as they are. Raises ReconcilerError if a file
    cannot be written.
    """
    settings = workspace.root.parent / SETTINGS_FILE
    for place in paths or (workspace.root, *((settings,) if settings.exists() else ())):
        if place != workspace.root and not place.is_dir():
            yield _format(place, write=write)
            continue
        found = find(place)
        yield from (Layout(place, diagnostics=(item,)) for item in found.diagnostics)
        for path in found.paths:
            yield _format(path, write=write)


def format_text(data: bytes, name: str = STANDARD_INPUT) -> Formatted:
    """Lay out one text; raises ConfigurationInvalid, which calls it ``name``, if it is no YAML."""
    text = decode(data, name)
    if isinstance(text, Diagnostic):
        raise ConfigurationInvalid((text,))
    composed = compose(text, name)
    if not composed.readable:
        raise ConfigurationInvalid(composed.diagnostics)
    return formatted(text)


def _format(path: Path, *, write: bool) -> Layout:
    before = read_bytes(path)
    if isinstance(before, Diagnostic):
        return Layout(path, diagnostics=(before,))
    try:
        new = format_text(before, shown(path))
        after = new.text.encode()
        if path.read_bytes() != before:
            raise ReconcilerError(f"{path} was changed by somebody else just now", hint=_AGAIN)
        if len(after) > MAX_BYTES:
            return Layout(path, left=(Left(1, "it would become too large"),))
        if before != after and write:
            write_wholly(path.resolve(), new.text, like=path)
    except ConfigurationInvalid as error:
        return Layout(path, diagnostics=error.diagnostics)
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be written: {error.strerror}") from error
    return Layout(path, changed=before != after, left=new.left)
