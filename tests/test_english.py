"""The English of output, documentation, code and test names: phrases that were often corrected do not come back."""

from __future__ import annotations

import ast
import re
import tokenize
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest

from reconciler.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT: Final = Path(__file__).parents[1]

PHRASES: Final = {
    r"(?<![Tt]here )\b(?:is|are) no (?!longer\b|more\b|way\b)\w": "say 'is not a …', or 'invalid …: expected …'",
    r"\bthis is none\b|\bthat (?:is|are) none\b": "say what was expected",
    r"\bothers than\b|\bare others\b": "say that they changed, or differ",
    r"\b(?:is|are) told\b": "say who reports it, or what the message is",
    r"\b(?:is|are) said (?:to|so|of)\b": "say it in the active voice",
    r"\bsa(?:id|ys) no\b(?!,)": "a server rejects",
    r"\bstands? (?:against|twice|where|beside|there)\b": "a thing is somewhere; it does not stand there",
    r"\bis there (?:twice|already)\b": "it 'already exists', or is 'duplicated'",
    r"\b(?:is|are) wanted\b|\bis meant:": "say desired, expected or configured; 'to allow it: …'",
    r"\blets? go of\b": "remove, or forget",
    r"\bhal(?:f|ves) of (?:a|the|each|every) connector\b|\b(?:IMAP|SMTP) half\b": "say IMAP, SMTP or account",
    r"\bnobody knows\b": "it is unknown",
    r"\bfor want of\b": "because it lacks",
    r"\bmend(?:s|ed)?\b": "fix",
    r"\bfault of (?:the tool|reconciler)\b": "a bug in reconciler",
    r"\banew\b": "again; re-encoded; reconnect",
    r"\bbeyond ASCII\b": "non-ASCII",
    r"\bbe it\b": "whether",
    r"\bheld against\b": "checked against",
    r"\bby way of\b": "through",
    r"\bput(?:s)? (?:it )?right\b": "correct",
    r"\bbec(?:a|o)mes? of\b": "what happened to it; its status",
    r"\bdo(?:es)? not keep to\b": "violates",
    r"\b(?:once|as) it has it\b|\bas curl has it\b": "as in curl; as RFC 4954 requires",
    r"\btakes? (?:an Administrator|no passwords)\b": "requires; accepts",
    r"\bas long as it is not known\b": "until you know it",
    r"\bout of order\b": "failed, or unavailable",
    r"\blike peace\b": "like success",
    r"\bunder way\b": "in progress, or pending",
    r"\bwhoever\b(?! sends\b)": "anybody who; the user, the person or the program that",
    r"\bon the spot\b": "at once",
    r"\bcannot be told\b(?! apart)": "it is unknown, or unclear",
    r"\b(?:of|plan|planning) no change\b": "without changes",
    r"\bby the clock\b": "in wall-clock time",
    r"\bhalf way\b": "halfway through",
    r"\bwrong usage\b": "a usage error",
    r"\b(?:give|gives|giving|gave|given) back\b": "release, or return",
    r"\btaken as (?:it|they) stands?\b": "taken literally",
    r"\bto be had\b|\bcan be had\b": "available, or obtained",
}
"""What nobody should have to decode, and what to write instead."""

PROSE: Final = {
    r"\b(?:is|are|was|were) told\b(?! apart)": "say reported, called with, given or explained",
    r"\b(?:is|are) said (?:to|so|of)\b": "say it in the active voice",
    r"\banew\b": "again; re-encoded; recomputed",
    r"\blets? go of\b": "close, drop or forget",
    r"\b(?:calls?|called) (?:it )?off\b": "cancel",
    r"\bothers than\b": "say that they changed, or differ",
    r"\bwhoever\b": "name the person or the program",
    r"\bcannot be had\b": "cannot be obtained, set or used",
    r"\bbeyond ASCII\b": "non-ASCII",
    r"\bby way of\b": "through",
    r"\bwants it\b": "requires it",
    r"\bunder way\b": "pending, or running",
    r"\bfor want of\b": "because it lacks",
    r"\bbec(?:a|o)mes? of\b": "its result, what happened to it",
    r"\bst(?:and|ands|ood) still\b": "stall",
    r"\b(?:as it|as they) stands?\b": "unchanged, exactly as printed",
}
"""The same for docstrings and comments, of the tests too."""

NAMES: Final = {
    r"_(?:is|are|was|were)_told(?!_apart)": "is reported, is given, is called with",
    r"_(?:is|are)_said(?:_|$)": "is reported",
    r"(?<!there)_(?:is|are)_no_(?!longer)": "is not a …, is rejected",
    r"_(?:is|are)_none$": "is rejected, does not count",
    r"_wants?_": "requires",
    r"_anew(?:_|$)": "again, recomputed, recreated",
    r"whoever": "name the person or the program",
    r"cannot_be_had": "cannot be set, obtained or used",
    r"beyond_ascii": "non_ascii",
    r"called_off": "cancelled",
    r"that_there_(?:is|are)(?:_not)?(?:_|$)": "existing, or unknown",
    r"by_way_of": "through",
    r"_(?:is|are)_wrong_usage": "is a usage error",
    r"_told_apart(?:_|$)": "distinguished, recognised",
    r"_(?:owner|owners|administrators|rename|senders|fingerprints|steps)_alone$": "only",
    r"_further_": "additional, other",
    r"_holds?_up_": "delays",
    r"_(?:takes?|comes?|goes)_(?:\w+_)?along(?:_|$)": "includes, keeps",
    r"^test_(?:nor|none)_": "name what it is about",
    r"_whole_mails?_": "complete",
    r"_gives?_way(?:_|$)": "is replaced",
}
"""The same for names of tests, which say what is asserted."""

ALLOWED: Final = frozenset(
    {
        "reconciler/state/export_checks.py: its history has gaps or is out of order",
    }
)
"""Where one of the phrases is the right one: the words are meant literally."""


def _texts_of(path: Path) -> Iterator[str]:
    """Every string of a module that is not a docstring; what is filled in stands as {}."""
    tree = ast.parse(path.read_text("utf-8"))
    parts = {
        id(part)
        for node in ast.walk(tree)
        for part in (node.values if isinstance(node, ast.JoinedStr) else ())
    }
    parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in parts:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _helps(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=path, **command.context_settings)
    yield f"{path} --help", command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _helps(found, f"{path} {name}")


def _shown() -> Iterator[tuple[str, str]]:
    """Everything that a user may read, with where it comes from."""
    for path in sorted((ROOT / "reconciler").rglob("*.py")):
        for text in _texts_of(path):
            yield path.relative_to(ROOT).as_posix(), text
    pages = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "connectors.d").glob("*.yaml"),
    ]
    kept = [*(ROOT / "tests" / "golden").glob("*.*"), *(ROOT / "tests" / "examples").rglob("*.txt")]
    for path in sorted([*pages, *kept]):
        if path.suffix != ".py":
            for paragraph in re.split(r"\n\s*\n", path.read_text("utf-8")):
                yield path.relative_to(ROOT).as_posix(), paragraph
    yield from _helps(cli, "reconciler")


@cache
def shown() -> tuple[tuple[str, str], ...]:
    """The same, each text on one line."""
    return tuple((place, " ".join(text.split())) for place, text in _shown())


def test_no_text_has_a_phrase_that_has_to_be_decoded() -> None:
    texts = [text for text in shown() if ": ".join(text) not in ALLOWED]
    assert sorted(set(_found(PHRASES, texts))) == []


def _found(phrases: Mapping[str, str], texts: Iterable[tuple[str, str]]) -> list[str]:
    """Each place that has one of the phrases, with what to write instead."""
    texts = list(texts)
    return [
        f"{place}: {text[max(0, hit.start() - 60) : hit.end() + 60]!r}: {instead}"
        for phrase, instead in phrases.items()
        for place, text in texts
        for hit in re.finditer(phrase, text)
    ]


@cache
def prose() -> tuple[tuple[str, str], ...]:
    """Every docstring and comment, each on one line, with the name of its file."""
    found = []
    for path in sorted([*(ROOT / "reconciler").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]):
        source = path.read_text("utf-8")
        place = path.relative_to(ROOT).as_posix()
        found += [
            (place, node.value.value)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ]
        comments = [
            token.string.lstrip("# ")
            for token in tokenize.generate_tokens(StringIO(source).readline)
            if token.type == tokenize.COMMENT
        ]
        found.append((place, " ".join(comments)))
    return tuple((place, " ".join(text.split())) for place, text in found)


def test_no_docstring_or_comment_has_one() -> None:
    assert _found(PROSE, prose()) == []


@cache
def names_of_tests() -> tuple[tuple[str, str], ...]:
    """The names of all tests, each with its file."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), name)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in re.findall(
            r"^ *(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE
        )
    )


def test_no_name_of_a_test_has_one() -> None:
    assert _found(NAMES, names_of_tests()) == []


def test_every_exception_is_there() -> None:
    assert sorted(ALLOWED - {f"{place}: {text}" for place, text in shown()}) == []


@pytest.mark.parametrize(
    "text",
    [
        "the password must be a reference to a secret, and this is none",
        "'2x' is no shard",
        "secrets are others than when the plan was made",
        "a name stands twice",
        "if it is meant: --allow-deletes 3",
    ],
)
def test_the_phrases_are_found_where_they_are(text: str) -> None:
    assert [phrase for phrase in PHRASES if re.search(phrase, text)] != []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("prose", "``ready`` is told the ports"),
        ("prose", "Let nobody lets go of it"),
        ("prose", "a variable that cannot be had"),
        ("name", "test_what_is_no_plan_is_told_so"),
        ("name", "test_a_mail_without_recipient_subject_or_text_is_none"),
        ("name", "test_it_is_as_smtp_wants_it"),
    ],
)
def test_the_same_goes_for_prose_and_names(kind: str, text: str) -> None:
    assert [phrase for phrase in (PROSE if kind == "prose" else NAMES) if re.search(phrase, text)]
