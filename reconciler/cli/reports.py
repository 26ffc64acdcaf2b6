"""``--report FORMAT=FILE``: files that a command writes beside its output, whatever its outcome."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from reconciler.render.formats import OutputFormat, formats_of

FormatT = TypeVar("FormatT", bound=OutputFormat)
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Report(Generic[FormatT]):
    """A format, and the file that it is written to."""

    output_format: FormatT
    path: Path

    def write(self, text: str) -> None:
        """Write the file; raises click.FileError if that is not possible, and ReconcilerError for a link."""
        from reconciler.app.atomic_file import refuse_escape  # noqa: PLC0415 - only where it is written

        refuse_escape(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        except OSError as error:
            raise click.FileError(os.fspath(self.path), error.strerror) from error


class _ReportType(click.ParamType[Report[OutputFormat]]):
    """Reads ``FORMAT=FILE``."""

    name = "report"

    def __init__(self, formats: tuple[OutputFormat, ...]) -> None:
        self._formats = formats

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Report[OutputFormat]:
        """Split the text; the format must be one of those that the command has."""
        name, equals, path = str(value).partition("=")
        if not equals or not path or name not in self._formats:
            names = ", ".join(self._formats)
            self.fail(
                f"invalid report {value!r}: expected FORMAT=FILE with one of the formats {names}",
                param,
                ctx,
            )
        from reconciler.app.atomic_file import refuse_escape  # noqa: PLC0415 - only where there is one

        refuse_escape(Path(path))  # before the command does anything
        return Report(OutputFormat(name), Path(path))


def report_option(formats: object) -> Callable[[F], F]:
    """``--report``: may be given any number of times, each with a format of a set in `render.formats`."""
    offered = formats_of(formats)

    def decorate(function: F) -> F:
        return click.option(
            "--report",
            "reports",
            multiple=True,
            type=_ReportType(offered),
            metavar="FORMAT=FILE",
            help=f"Also write a report, as {' or '.join(offered)}. Repeatable.",
        )(function)

    return decorate
