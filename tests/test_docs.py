"""What the documentation says of the command line is what the command line does."""

from __future__ import annotations

import re
import shlex
from functools import cache
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest

from reconciler.app.schemas import NAMES as SCHEMAS
from reconciler.cli.command import CommandWithSubcommands, ExampleCommand, ExampleGroup
from reconciler.cli.exit_codes import ExitCode, SendmailCode
from reconciler.cli.main import cli
from reconciler.connection.failure import ErrorClass

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES: Final = tuple(
    sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")], key=lambda path: path.as_posix())
)


def _commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command, **command.context_settings)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*path, name))


COMMANDS: Final = dict(_commands(cli))
NAMES: Final = [name for name in COMMANDS if name]


@cache
def _documented() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("name", [name for name in NAMES if " " not in name])
def test_the_readme_lists_every_command(name: str) -> None:
    assert re.search(rf"^\| `{re.escape(name)}` \|", README, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_mentioned_in_the_changelog_or_in_a_page(name: str) -> None:
    assert re.search(rf"`(?:reconciler )?{re.escape(name)}\b", _documented())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_a_sentence_and_examples_that_parse(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, ExampleCommand | ExampleGroup)
    assert (command.help or "").strip()
    assert command.examples
    for example in command.examples:
        _parses(example)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_says_what_it_is_for(name: str) -> None:
    options = [item for item in COMMANDS[name].params if isinstance(item, click.Option)]
    assert [item.name for item in options if not item.help] == []


def _parses(line: str) -> None:
    """Fail if a line that calls the program names a command or an option that does not exist."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(takewhile(lambda word: not set(word) <= set("();<>|&"), lexer))
    words = list(dropwhile(lambda word: re.fullmatch(r"[A-Z_]+=.*", word) is not None, words))
    if words[:1] != ["reconciler"]:
        return
    command: click.Command = cli
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command, **command.context_settings), rest[0])
        if found is None and isinstance(command, CommandWithSubcommands):
            break
        assert found is not None, line
        command, rest = found, rest[1:]
    known = {name for item in command.params for name in (*item.opts, *item.secondary_opts)}
    known |= {"--help", "--version"}
    options = takewhile(lambda word: word != "--", rest)
    used = {word.partition("=")[0] for word in options if word.startswith("--")}
    assert used <= known, line


def _lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(
            r"^```(?:sh|console|text|yaml)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        ):
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                called = re.search(r"(?:^|[\s/;])(reconciler [a-z].*)$", line)
                if called is not None and "reconciler.git" not in line:
                    yield f"{page.relative_to(ROOT)}: {line.strip()}", called[1]


@pytest.mark.parametrize("line", [pytest.param(line, id=name) for name, line in _lines()])
def test_every_line_of_the_documentation_calls_existing_commands_and_options(line: str) -> None:
    _parses(line)


def test_every_schema_is_linked_from_a_page_and_no_other_is() -> None:
    linked = set(re.findall(r"\(\.\./schemas/([a-z-]+)\.schema\.json\)", _documented()))
    assert linked | {"settings"} == set(SCHEMAS)  # that one is named by the rule that uses it


@pytest.mark.parametrize("page", ["security", "reliability"])
def test_every_test_that_a_page_of_promises_names_exists(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(test_[a-z0-9_]+)(?!\.py)\b", text))
    paths = list((ROOT / "tests").rglob("test_*.py"))
    defined = {
        name for path in paths for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert len(named) > 20
    assert sorted(named - defined - {path.stem for path in paths}) == []


def test_every_path_that_contributors_are_sent_to_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:reconciler|tests|docs)/[\w./-]+)`", text)
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_exit_code_has_its_row_and_every_row_its_code() -> None:
    page = (ROOT / "docs" / "apply.md").read_text(encoding="utf-8")
    section = page[page.index("## Exit codes") :]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)] == list(
        ExitCode
    )


def test_every_exit_code_of_sendmail_has_its_row_too() -> None:
    page = (ROOT / "docs" / "sendmail.md").read_text(encoding="utf-8")
    found = [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert found == list(SendmailCode)


def test_every_error_class_has_its_row_and_every_row_its_class() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE) == list(ErrorClass)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_within_the_documentation_leads_somewhere(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, anchor


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def test_every_page_can_be_found_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", README))
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages <= linked
