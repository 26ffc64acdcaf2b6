"""What `import` and `rollback` wrote, and what they kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.terminal import visible
from reconciler.wording import LINES, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def written_lines(
    files: Sequence[Path], kept: Sequence[Path], notes: Sequence[str]
) -> Iterator[str]:
    """A line for each new or changed file, one for the copies, and the notes."""
    for path in files:
        yield f"Wrote {visible(str(path))}"
    for path in kept:
        yield f"Copied {visible(str(path))}, which is unchanged"
    shown, more = shortened(notes, LINES)
    for note in shown:
        yield f"Note: {visible(note)}."
    if more:
        yield f"Note: {more}."
