"""The comment on a pull request: never too long, cut only between sections, and safe against injected markup."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reconciler.apply.authorise import Denial
from reconciler.model.address import Address, Kind
from reconciler.model.directory import Group
from reconciler.model.permissions import Principals
from reconciler.model.setting import SettingChange
from reconciler.plan.limits import Limit, LimitViolation
from reconciler.render.formats import OutputFormat
from reconciler.render.marker import marker
from reconciler.render.mermaid import MOST
from reconciler.render.plan import PlanOutcome
from reconciler.render.pull_request import MOST_BYTES, plan_comment
from reconciler.render.report import apply_report
from reconciler.values import replace
from tests.builders import connector, moved, planned, receiving, stored

if TYPE_CHECKING:
    from markdown_it.token import Token

    from reconciler.plan.planner import Plan

READER: Final = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE: Final = st.one_of(
    st.text(alphabet="`|<>&\"'\\\n\r*_[]()#~!@-=+:; \t{}$%/1xé\u202e\u200b😀", max_size=12),
    st.sampled_from(
        (
            "```", "~~~~", "</details>", "--><script>", "a | b", "a \\", "\\|", "@team", "#12", "![x](https://x)",
            '"]; click s0 "x"', "%%{init: {}}%%", "\n\n# x", "<br>", "&lt;", "` x", "1. x", "- x", "end",
        )
    ),
)  # fmt: skip
NODE: Final = re.compile(
    r'flowchart LR|  s\d+\["[^"`\[\]<>]*"\]|  w\d+\(\["as [^"`\[\]<>]*<br/>through [^"`\[\]<>]*"\]\)'
    r'|  w\d+\{\{"refused"\}\}|  s\d+ (-\.->|==>|-->) w\d+'
)
HEADINGS: Final = frozenset(
    {
        "Who sends as whom", "Secrets that would go somewhere new", "Settings that differ from the last apply",
        "Rights that would change", "Changes, field by field", "Live tests", "An apply will",
    }
)  # fmt: skip


def _check(text: str) -> None:
    """Every block and tag is one that the comment makes itself."""
    tokens = READER.parse(text)
    blocks = Counter(token.type for token in tokens)
    assert not {"hr", "code_block", "ordered_list_open", "lheading"} & blocks.keys()
    for place, token in enumerate(tokens):
        if token.type == "html_block":
            whole = r"<!-- reconciler:\S+ \S+ \S+ -->|<details><summary>[^<>]*</summary>|</details>"
            assert re.fullmatch(whole, token.content.strip()), token.content
        elif token.type == "fence":
            assert token.info in {"", "diff", "mermaid"}
            if token.info == "mermaid":
                assert all(NODE.fullmatch(line) for line in token.content.splitlines())
        elif token.type == "heading_open":
            title = tokens[place + 1].content
            assert token.tag == "h3" if title.startswith("Email connectors") else title in HEADINGS
        elif token.type == "inline":
            _check_inline(token)
    _check_tables(tokens)
    folds = [token.content[:9] for token in tokens if token.type == "html_block"]
    assert folds.count("<details>") == folds.count("</details")


def _check_inline(token: Token) -> None:
    inside = False
    for child in token.children or ():
        known = {"text", "text_special", "code_inline", "softbreak", "hardbreak", "html_inline"}
        assert child.type in known | {"strong_open", "strong_close"}, (child.type, token.content)
        if child.type == "html_inline":
            assert child.content in {"<code>", "</code>", "<br>"}
            inside = child.content == "<code>"
        if child.type.startswith("text") and not inside:
            assert not re.search(r"(?<!\w)@\w", child.content), "it would notify somebody"


def _check_tables(tokens: list[Token]) -> None:
    raw = [token.content for token in tokens if token.type == "inline"]
    assert not [line for line in raw if line.startswith("| ")], "a table that is not read as one"


def _everything(*words: str) -> PlanOutcome:
    one, two, three, four = words
    before = connector("payroll")
    after = replace(
        moved(before, server=f"mail.{one}.example", username=two),
        display_name=one,
        labels=(two, three),
        email_address=f"{one}@contoso.example",
    )
    plan = planned(
        stored(before, receiving("old"), Group(name="hr", members=Principals(users=(four,)))),
        after,
        connector("new", display_name=three, email_address=f"{four}@contoso.example"),
        Group(name="hr", members=Principals(users=(one, two))),
    )
    plan = replace(
        plan,
        environment=two,
        violations=(LimitViolation(Limit.DELETES, three, one), *plan.violations),
        settings_changes=(SettingChange(one, two, three, four, one),),
    )
    return PlanOutcome(
        plan=plan,
        project=one,
        actor=four,
        error=two,
        denials=(Denial(Address(Kind.GROUP, "hr"), three),),
    )


@settings(max_examples=2 * settings().max_examples, deadline=None)
@given(st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE))
def test_nothing_from_a_field_breaks_out(words: tuple[str, str, str, str]) -> None:
    _check(plan_comment(_everything(*words)))


@pytest.mark.parametrize(
    "broken",
    [
        "a\n\n</div>\n", "| a | b |\n", "# x\n", "[x](https://x.example)\n", "hello @team\n", "---\n",
        "```mermaid\nflowchart LR\n  s0 --> x\n```\n", "```js\nx\n```\n",
    ],
)  # fmt: skip
def test_the_check_finds_what_breaks_out(broken: str) -> None:
    with pytest.raises(AssertionError):
        _check(broken)


@settings(max_examples=2 * settings().max_examples)
@given(HOSTILE, HOSTILE)
def test_a_marker_is_one_comment_and_keeps_the_names_apart(project: str, environment: str) -> None:
    line = marker("plan", project, environment)
    found = re.fullmatch(r"<!-- reconciler:plan project=(\S*) environment=(\S*) -->", line)
    assert found
    assert tuple(map(unquote, found.groups())) == (project, environment)
    inside = line.removeprefix("<!--").removesuffix("-->")
    assert "--" not in inside
    assert not re.search("[<>]", inside)


def test_a_marker_stays_short_and_differs_for_names_that_begin_alike() -> None:
    one, two = (marker("plan", "x" * 5000 + end, "") for end in "ab")
    assert len(one) < 200
    assert one != two


def _created(count: int) -> Plan:
    return planned(
        stored(),
        *(
            connector(f"shop-{n:03}", display_name="📬" * 20, labels=(f"l-{n}",))
            for n in range(count)
        ),
    )


@pytest.mark.parametrize("count", [10, 100, 1500])
def test_a_comment_is_never_too_long_and_says_what_it_leaves_out(count: int) -> None:
    text = plan_comment(PlanOutcome(plan=_created(count), actor="ada"))
    assert len(text.encode("utf-16-le")) // 2 <= len(text.encode()) <= MOST_BYTES
    _check(text)
    whole = text.count("<details>")
    assert f"{count} to add" in text.split("\n\n")[2]
    if count == 10:
        assert whole == count
        assert "too long" not in text
    else:
        assert len(text.encode()) > MOST_BYTES * 0.8, "no more is cut than has to be"
        assert f"Left out: {count - whole} section" in text
        assert "--report json=FILE" in text
    assert text.count("draft") == text.count("draft                 = true")
    assert text.count("save_sent") == whole, "a section that is shown is whole"


def test_a_comment_stays_short_however_much_there_is_of_anything() -> None:
    plan = replace(
        _created(1),
        environment="e" * 90_000,
        violations=tuple(LimitViolation(Limit.DELETES, f"{n}" * 20_000, "") for n in range(100)),
    )
    text = plan_comment(PlanOutcome(plan=plan, error="*" * 90_000, actor="a" * 90_000, project="p"))
    assert len(text.encode()) <= MOST_BYTES
    assert "why an apply would be refused" in text
    _check(text)


def test_few_senders_are_drawn_and_many_are_only_in_the_table() -> None:
    for count, drawn in ((MOST - 1, True), (MOST + 1, False)):
        text = plan_comment(PlanOutcome(plan=_created(count)))
        assert ("```mermaid" in text) is drawn
        assert f"| new | `shop-{count - 1:03}@contoso.example` |" in text


def test_changes_are_grouped_by_connector() -> None:
    before = connector("payroll")
    text = plan_comment(
        PlanOutcome(
            plan=planned(stored(before, connector("b")), moved(before, port=4650), connector("b"))
        )
    )
    assert text.count("<details>") == 1
    assert "<summary>payroll: EmailConnector updated</summary>" in text
    assert "**Nothing would stop an apply.** Plan: 0 to add, 1 to change, 0 to destroy." in text


def test_the_report_of_an_apply_says_first_how_it_ended_and_replaces_no_plan() -> None:
    outcome = PlanOutcome(plan=_created(2), project="mail")
    text = apply_report(OutputFormat.MARKDOWN, outcome="applied", serial=4, planned=outcome)
    marked, title, verdict = text.split("\n\n")[:3]
    assert marked == "<!-- reconciler:apply project=mail environment= -->"
    assert title == "### Email connectors"
    assert verdict.startswith("**Applied as revision 4.** Plan: 2 to add")
    failed = PlanOutcome(error="the state\nis *locked*")
    text = apply_report(OutputFormat.MARKDOWN, outcome="failed", serial=None, planned=failed)
    assert text.endswith("**Failed.**\n\n> [!CAUTION]\n> the state is \\*locked\\*")
