"""``--report FORMAT=FILE``: files that a command writes beside its output, whatever its outcome."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click
from msgspec import Struct

from reconciler.errors import ReconcilerError
from reconciler.render.formats import OutputFormat, formats_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FormatT = TypeVar("FormatT", bound=OutputFormat)
F = TypeVar("F", bound=Callable[..., Any])


class Report(Struct, Generic[FormatT], frozen=True):
    """A format, and the file that it is written to."""

    output_format: FormatT
    path: Path

    def write(self, text: str) -> None:
        """Write the file whole; raises ReconcilerError if that is not possible."""
        from reconciler.app.atomic_file import (  # noqa: PLC0415 - only where it is written
            refuse_escape,
            unwritable,
            write_wholly,
        )

        refuse_escape(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_wholly(self.path, text.rstrip("\n") + "\n", public=True)
        except OSError as error:
            raise unwritable(self.path, error) from error


@contextmanager
def writing(
    reports: tuple[Report[FormatT], ...], text: Callable[[FormatT, ReconcilerError | None], str]
) -> Iterator[None]:
    """Write the reports when the block ends, however it ends.

    ``text`` renders one, given the exception that ended the block. An unwritable report fails a
    successful command; for a failed one, the original failure is shown, with a note.
    """
    ended: BaseException | None = None
    problem: ReconcilerError | None = ReconcilerError("interrupted")
    try:
        yield
        problem = None
    except ReconcilerError as error:
        ended = problem = error
        raise
    except BaseException as error:
        ended = error
        raise
    finally:
        _write(reports, lambda output_format: text(output_format, problem), ended)


def _write(
    reports: tuple[Report[FormatT], ...],
    text: Callable[[FormatT], str],
    ended: BaseException | None,
) -> None:
    failures: list[ReconcilerError] = []
    for report in reports:
        try:
            report.write(text(report.output_format))
        except ReconcilerError as error:
            failures.append(error)
    for failure in failures:
        if ended is None:
            raise failure
        ended.add_note(f"a report was not written: {failure.message}")


class _ReportType(click.ParamType[Report[OutputFormat]]):
    """Reads ``FORMAT=FILE``."""

    name = "report"

    def __init__(self, formats: tuple[OutputFormat, ...]) -> None:
        self._formats = formats

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Report[OutputFormat]:
        """Split the text; the format must be one of those that the command has, and the file writable."""
        name, equals, path = str(value).partition("=")
        if not equals or not path or name not in self._formats:
            names = ", ".join(self._formats)
            self.fail(
                f"invalid report {value!r}: expected FORMAT=FILE with one of the formats {names}",
                param,
                ctx,
            )
        if name == OutputFormat.HTML:
            from reconciler.render.html.page import require_jinja  # noqa: PLC0415 - only where there is one

            require_jinja()
        from reconciler.app.atomic_file import refuse_unwritable  # noqa: PLC0415 - only where there is one

        refuse_unwritable(Path(path))  # before the command does anything
        return Report(OutputFormat(name), Path(path))


def _is_stream(path: Path) -> bool:
    # Unlike Path's methods, these raise no error for a folder that may not be read.
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113


def _distinct(
    context: click.Context,
    parameter: click.Parameter,
    reports: tuple[Report[OutputFormat], ...],
) -> tuple[Report[OutputFormat], ...]:
    """Refuse two reports in one file: the second would take the place of the first."""
    seen: set[str] = set()
    for report in reports:
        place = os.path.realpath(report.path)
        if place in seen and not _is_stream(report.path):
            message = f"two reports cannot both be written to {report.path}"
            raise click.BadParameter(message, context, parameter)
        seen.add(place)
    return reports


def report_option(formats: object) -> Callable[[F], F]:
    """``--report``: may be given any number of times, each with a format of a set in `render.formats`."""
    offered = formats_of(formats)

    def decorate(function: F) -> F:
        return click.option(
            "--report",
            "reports",
            multiple=True,
            type=_ReportType(offered),
            callback=_distinct,
            metavar="FORMAT=FILE",
            help=f"Also write a report, whatever the outcome: {', '.join(offered)}. Repeatable.",
        )(function)

    return decorate
