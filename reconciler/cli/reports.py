"""``--report FORMAT=FILE``: what a command has to say, in further forms, whatever its outcome."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Report:
    """A form, and the file that it goes to."""

    form: str
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


class _ReportType(click.ParamType[Report]):
    """Reads ``FORMAT=FILE``."""

    name = "report"

    def __init__(self, formats: tuple[str, ...]) -> None:
        self._formats = formats

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Report:
        """Split the text; the format must be one of those that the command has."""
        form, equals, path = str(value).partition("=")
        if not equals or not path or form not in self._formats:
            forms = ", ".join(self._formats)
            self.fail(
                f"invalid report {value!r}: expected FORMAT=FILE with one of the formats {forms}",
                param,
                ctx,
            )
        return Report(form, Path(path))


def report_option(*formats: str) -> Callable[[F], F]:
    """``--report``: may be given any number of times."""

    def decorate(function: F) -> F:
        return click.option(
            "--report",
            "reports",
            multiple=True,
            type=_ReportType(formats),
            metavar="FORMAT=FILE",
            help=f"Write a report too, as {' or '.join(formats)}. Repeatable.",
        )(function)

    return decorate
