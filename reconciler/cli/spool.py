"""Long texts for standard output: printed completely or not at all, and never entirely in memory."""

from __future__ import annotations

import codecs
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from reconciler.disk_fault import disk_fault
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_IN_MEMORY: Final = 1 << 20
"""The number of octets to keep in memory."""

_AT_ONCE: Final = 1 << 16


@contextmanager
def echoed_at_the_end() -> Iterator[Callable[[Iterable[str]], None]]:
    """Take a text in pieces, and write it to standard output when the block has ended well.

    The reader of standard output may be slow, or a pager, but a database that is being read must not
    wait. The text is kept in a temporary file that has no name. Raises ReconcilerError if that cannot
    be written.
    """

    def keep(pieces: Iterable[str]) -> None:
        try:
            for piece in pieces:  # writelines() would keep all of them in memory
                spool.write(piece.encode("utf-8"))
            spool.flush()
        except OSError as error:
            fault = disk_fault(error)
            raise ReconcilerError(
                f"the text cannot be kept in a temporary file until it is complete: {fault.reason}",
                hint="Set TMPDIR to a folder with enough space.",
            ) from error

    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        yield keep
        spool.seek(0)
        reader = codecs.getreader("utf-8")(spool)
        while text := reader.read(_AT_ONCE):
            click.echo(text, nl=False)
