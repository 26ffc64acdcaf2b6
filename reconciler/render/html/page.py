"""A page as values, and the one template that makes HTML of it."""

from __future__ import annotations

from base64 import b64encode
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import ReconcilerError
from reconciler.render.terminal import visible
from reconciler.values import replace
from reconciler.wording import install_extra

if TYPE_CHECKING:
    from jinja2 import Template

    from reconciler.render.html.picture import Picture


class Tone(StrEnum):
    """The meaning of something, shown by colour and symbol."""

    PLAIN = "plain"
    GOOD = "good"
    CHANGED = "changed"
    BAD = "bad"


class Row(Struct, frozen=True):
    """A row of a table: the text of each cell, and a tag such as *new*, or none."""

    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN
    word: str = ""


class Table(Struct, frozen=True):
    """Rows below a header. A long table has a filter field."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]


class Fold(Struct, frozen=True):
    """A terminal's text, collapsed under its title."""

    title: str
    text: str


class Section(Struct, frozen=True, kw_only=True):
    """A part of the page under a heading; empty parts are omitted."""

    title: str
    tone: Tone = Tone.PLAIN
    note: str = ""
    items: tuple[str, ...] = ()
    picture: Picture | None = None
    table: Table | None = None
    folds: tuple[Fold, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.note or self.items or self.folds or (self.table and self.table.rows))


class Page(Struct, frozen=True, kw_only=True):
    """A page: its subject, the verdict in a sentence, counts, and sections in reading order.

    Zero counts and empty sections are omitted.
    """

    title: str
    subtitle: str
    verdict: str
    tone: Tone
    counts: tuple[tuple[int, str], ...]
    sections: tuple[Section, ...]


def require_jinja() -> None:
    """Raise ReconcilerError if Jinja2 is not installed."""
    try:
        import jinja2  # noqa: F401, PLC0415 - an extra, which only pages need
    except ModuleNotFoundError:
        raise ReconcilerError(
            "a report in HTML needs Jinja2, which is not installed", hint=install_extra("html")
        ) from None


def to_html(page: Page) -> str:
    """The page as HTML; all texts are escaped, and control characters made visible."""
    require_jinja()
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja2

    script = _part("page.js")
    counts = tuple((number, what) for number, what in page.counts if number)
    return _template().render(
        page=replace(page, counts=counts),
        sections=[section for section in page.sections if not section.empty],
        script=Markup(script),  # noqa: S704 - a file of ours
        script_digest=b64encode(sha256(script.encode()).digest()).decode(),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - an extra, which only pages need

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: _shown(value) if isinstance(value, str) else value,
    )  # fmt: skip
    return environment.from_string(_part("page.html.jinja"))


def _part(name: str) -> str:
    return (files("reconciler") / "render" / "html" / name).read_text(encoding="utf-8")


def _shown(text: str) -> str:
    """A text without control characters; line breaks stay."""
    return type(text)("\n".join(map(visible, text.split("\n"))))
