"""Lists in sentences say how many names they leave out, and are cut in one place."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reconciler
from reconciler import wording
from reconciler.app.state import find, parse_address
from reconciler.errors import ReconcilerError
from reconciler.wording import LINES, NAMED, TO_ACT_ON, listed, shortened
from tests.builders import connector, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE: Final = Path(reconciler.__file__).parent
BOUNDS: Final = {
    name for name in vars(wording) if name.isupper() and name not in {"T", "TYPE_CHECKING"}
}

OTHER_BOUNDS: Final = {
    "app/new_connector.py: _LONGEST_NAME": "characters of a connector's name",
    "discovery/dns.py: MOST": "records that a name server may answer with",
    "app/send_log.py: _LONGEST": "characters of a sentence",
    "connection/fault_failures.py: _NAME": "characters of a name in a certificate",
    "connection/observed.py: _MOST": "what a server may claim to offer",
    "connection/server_answer.py: LIMIT": "characters of a server's answer",
    "probe/doctor.py: _MOST_FOLDERS": "what a server may list",
    "probe/doctor.py: _MOST_HOSTS": "what a certificate may name",
    "state/key.py: _CHECKSUM": "digits of a checksum",
    "gateway/answers.py: _LONGEST": "characters of a reply",
    "gateway/event_log.py: _LONGEST": "characters of a library's message",
    "gateway/status.py: _LONGEST": "octets of a request",
    "sandbox/browser.py: _MOST_LISTED": "mails on a page, which says how many there are",
    "sandbox/mail_pages.py: _LONGEST_TEXT": "characters of a text, which is said beneath it",
    "sandbox/opened_mail.py: _LONGEST_HEAD": "octets of the headers of a mail",
    "sandbox/opened_mail.py: _LONGEST_HEADER": "characters of a header",
    "render/human/routes.py: _ALL": "senders with the same route, which counts the others",
    "render/log.py: _TELLING": "columns of a table",
}
"""Constants that cut something else than a list of names."""


def test_omitted_items_are_counted() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdef")) == "a, b, c, d, e and 1 more"
    assert listed(list("abcdef"), TO_ACT_ON) == "a, b, c, d, e, f"
    assert listed([]) == ""
    assert shortened([1] * LINES) == ([1] * LINES, "")
    assert shortened([1] * (LINES + 3)) == ([1] * LINES, "and 3 more")
    assert NAMED < TO_ACT_ON < LINES


def test_a_resource_that_is_not_stored_names_the_others_and_counts_the_rest() -> None:
    state = stored(*(connector(f"box-{number:02}") for number in range(TO_ACT_ON + 2)))
    with pytest.raises(ReconcilerError) as raised:
        find(state, parse_address("support"))
    names = ", ".join(f"box-{number:02}" for number in range(TO_ACT_ON))
    assert raised.value.hint == f"Stored: {names} and 2 more."


@given(st.lists(st.from_regex("[a-z]{1,3}", fullmatch=True)), st.integers(1, 30))
def test_listed_names_and_the_count_of_others_add_up(names: list[str], most: int) -> None:
    text = listed(names, most)
    shown, _, more = text.partition(" and ")
    assert len([item for item in shown.split(", ") if item]) + int(more.split()[0] if more else 0) == len(names)  # fmt: skip


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name != "wording.py":
            yield name, ast.parse(path.read_text(encoding="utf-8"))


@cache
def trees() -> dict[str, ast.Module]:
    """The modules of the package, by their names."""
    return dict(_trees())


def _cuts(node: ast.AST) -> Iterator[ast.Slice]:
    for item in ast.walk(node):
        if (
            isinstance(item, ast.Slice)
            and item.lower is None
            and isinstance(item.upper, ast.Constant | ast.Name)
        ):
            yield item


def test_no_sentence_drops_names_in_silence() -> None:
    for name, node in ((name, node) for name, tree in trees().items() for node in ast.walk(tree)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr == "join" and ast.unparse(node.func.value) in {"', '", "' and '"}:
            found = [part for part in node.args if _is_cut(part)]
            assert found == [], f"{name}:{node.lineno}: use wording.listed"


def _is_cut(node: ast.expr) -> bool:
    """Whether what is joined is a cut list, or made of the members of one."""
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        return any(_is_cut(item.iter) for item in node.generators)
    return isinstance(node, ast.Subscript) and bool(list(_cuts(node)))


def test_no_module_has_a_bound_of_its_own() -> None:
    for name, node in ((name, node) for name, tree in trees().items() for node in ast.walk(tree)):
        bounds: list[ast.expr | None] = []
        if isinstance(node, ast.Call):
            if ast.unparse(node.func) in {"listed", "shortened"}:
                bounds += node.args[1:]
            bounds += [word.value for word in node.keywords if word.arg == "most"]
        if isinstance(node, ast.FunctionDef):
            parameters = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            bounds += [default for parameter, default in parameters if parameter.arg == "most"]
        found = {ast.unparse(bound) for bound in bounds if bound is not None}
        # One that is handed on is a parameter called most.
        assert found <= BOUNDS | {"most"}, f"{name}: {ast.unparse(node)}"
    for name, cut in ((name, cut) for name, tree in trees().items() for cut in _cuts(tree)):
        if isinstance(cut.upper, ast.Name) and cut.upper.id.isupper():
            assert cut.upper.id in BOUNDS or f"{name}: {cut.upper.id}" in OTHER_BOUNDS


def test_every_exception_is_there() -> None:
    used = {
        f"{name}: {cut.upper.id}"
        for name, tree in trees().items()
        for cut in _cuts(tree)
        if isinstance(cut.upper, ast.Name) and cut.upper.id.isupper()
    }
    assert set(OTHER_BOUNDS) <= used
