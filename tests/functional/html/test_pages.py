"""The reports in HTML, as a browser shows them."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.render.html import page as pages
from reconciler.render.html.page import Fold, Page, Row, Section, Table, Tone, to_html
from tests.functional.conftest import live_home

if TYPE_CHECKING:
    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Home

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE: Final = "</title></script><script>document.title='owned'</script><img src=x onerror=alert(1)>\x1b[31m\u202e\"'"


PAGES: Final = ["apply", "drift", "first", "fmt", "plan", "status", "test", "validate"]


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def axe() -> str:
    """The source of axe-core, which checks the accessibility of pages."""
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        path = Path(folder) / "axe-core" / "axe.min.js"
        if folder and path.exists():
            return path.read_text(encoding="utf-8")
    pytest.skip("axe-core is not installed; NODE_PATH says where it is")


def browser(tmp_path: Path, *arguments: str) -> str:
    """Run headless Chromium, and take what it prints."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", *arguments,
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, example_session: Session) -> Home:
    """The shipped example, in which every command that writes a page has written one; the second plan reroutes all mail."""
    live = live_home(tmp_path_factory.mktemp("reported") / "home", example_session)
    live("plan", "--report", "html=first.html")
    live.apply_untested("--report", "html=apply.html")
    live.edit("policy.yaml", "enabled: false", "enabled: true")
    live("plan", "--report", "html=plan.html")
    live("status", "--report", "html=status.html")
    live("test", "--report", "html=test.html", PAYROLL_PASSWORD="wrong")
    live("drift", "--report", "html=drift.html")
    live.write("broken.yaml", "kind: EmailConnector\nname: broken\nimapp: {}\n")
    live("validate", "--report", "html=validate.html")
    live.write(
        "broken.yaml", "kind:   Group\nname: spaced\nmembers: {users: [a@contoso.example]}\n"
    )
    live("fmt", "--check", "--report", "html=fmt.html")
    return live


@pytest.fixture(scope="module")
def reports(reported: Home) -> dict[str, str]:
    """Those pages, by the command."""
    return {path.stem: path.read_text(encoding="utf-8") for path in reported.folder.glob("*.html")}


def test_every_page_stands_alone(reports: dict[str, str]) -> None:
    assert sorted(reports) == PAGES
    for text in reports.values():
        elements = Elements(text).found
        assert not {tag for tag, _ in elements} & {
            "link",
            "img",
            "iframe",
            "object",
            "base",
            "form",
        }
        for _, attributes in elements:
            assert not {"src", "href", "action", "onload", "onclick", "style"} & set(attributes)
        assert "default-src 'none'" in text
        assert "<h1>Email connectors" in text
        ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
        assert len(ids) == len(set(ids))


def test_the_page_of_a_plan_says_first_what_changes_and_who_sends_as_whom(
    reports: dict[str, str],
) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", reports["plan"].partition("<main>")[2]))
    flat = " ".join(text.split())
    places = [
        flat.index(part)
        for part in ("Plan: 0 to add, 1 to change", "Why an apply would be refused", "--allow-policy-change",
                     "Who sends as whom", "Changes, field by field")
    ]  # fmt: skip
    assert places == sorted(places)
    assert "<svg" in reports["plan"]
    assert 'class="new"' in reports["plan"]


def test_the_page_of_the_state_lists_every_connector(
    reported: Home, reports: dict[str, str]
) -> None:
    listed = json.loads(reported("status", "--format", "json").out)["connectors"]
    assert listed
    for item in listed:
        assert f">{item['name']}</td>" in reports["status"]


def test_the_page_of_an_apply_shows_the_outcome(reports: dict[str, str]) -> None:
    assert "Applied as revision 1." in reports["apply"]
    assert "<b>19</b> added" in reports["apply"]
    assert "to add" not in reports["apply"]


def test_the_page_of_a_validation_has_each_problem_with_its_place(reports: dict[str, str]) -> None:
    assert "broken.yaml:3:1" in reports["validate"]
    assert "`imapp` is not a known field here." in html.unescape(reports["validate"])
    assert "The configuration is not valid" in reports["validate"]
    assert "broken.yaml" in reports["fmt"]
    assert "would change" in reports["fmt"]


def test_no_text_breaks_out_of_its_place() -> None:
    section = Section(
        title=HOSTILE, note=HOSTILE, items=(HOSTILE,),
        table=Table((HOSTILE,), (Row((HOSTILE,), Tone.BAD, HOSTILE),) * 9),
        folds=(Fold(HOSTILE, HOSTILE),),
    )  # fmt: skip
    page = Page(
        title=HOSTILE, subtitle=HOSTILE, verdict=HOSTILE, tone=Tone.BAD, counts=((1, HOSTILE),),
        sections=(section,),
    )  # fmt: skip
    harmless = re.sub(r"[<>&\"'\x00-\x1f\u202e]", "x", HOSTILE)
    calm = to_html(
        Page(
            title=harmless, subtitle=harmless, verdict=harmless, tone=Tone.BAD, counts=((1, harmless),),
            sections=(
                Section(
                    title=harmless, note=harmless, items=(harmless,),
                    table=Table((harmless,), (Row((harmless,), Tone.BAD, harmless),) * 9),
                    folds=(Fold(harmless, harmless),),
                ),
            ),
        )
    )  # fmt: skip
    text = to_html(page)
    assert [tag for tag, _ in Elements(text).found] == [tag for tag, _ in Elements(calm).found]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", text)


def test_the_script_is_the_one_that_the_policy_allows(tmp_path: Path) -> None:
    rows = tuple(Row((f"row {number}",)) for number in range(20))
    page = Page(
        title="Filter", subtitle="", verdict="Fine.", tone=Tone.GOOD, counts=(),
        sections=(Section(title="Rows", table=Table(("name",), rows)),),
    )  # fmt: skip
    path = tmp_path / "page.html"
    typed = (
        "<script>document.querySelector('input').value='row 17';"
        "document.querySelector('input').dispatchEvent(new Event('input'))</script>"
    )
    text = to_html(page)
    # A script that the policy does not know does nothing.
    path.write_text(text.replace("</body>", f"{typed}</body>"), encoding="utf-8")
    assert browser(tmp_path, "--dump-dom", f"file://{path}").count('hidden=""') == 0
    # Without the policy, the page's own script filters.
    open_text = re.sub(r"<meta http-equiv=[^>]+>", "", text)
    path.write_text(open_text.replace("</body>", f"{typed}</body>"), encoding="utf-8")
    assert browser(tmp_path, "--dump-dom", f"file://{path}").count('hidden=""') == 19
    # With it, the page's own script runs: it is what marks the page as enhanced.
    path.write_text(text, encoding="utf-8")
    assert "data-filters" in browser(tmp_path, "--dump-dom", f"file://{path}")


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation(name: str, reports: dict[str, str], tmp_path: Path) -> None:
    source = axe()
    path = tmp_path / f"{name}.html"
    run = (
        "<script>axe.run(document).then((r) => { const p = document.createElement('pre'); p.id = 'axe';"
        "p.textContent = JSON.stringify(r.violations.map((v) => [v.id, v.help, v.nodes.map((n) => n.html)]));"
        "document.body.append(p); })</script>"
    )
    text = re.sub(r"<meta http-equiv=[^>]+>", "", reports[name])
    path.write_text(
        text.replace("</body>", f"<script>{source}</script>{run}</body>"), encoding="utf-8"
    )
    for scheme in ("0", "1"):
        shown = browser(
            tmp_path, f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=20000",
            "--dump-dom", f"file://{path}",
        )  # fmt: skip
        found = re.search(r'<pre id="axe">(.*?)</pre>', shown, re.DOTALL)
        assert found is not None
        violations: list[Any] = json.loads(html.unescape(found[1]))
        assert violations == []


@pytest.mark.parametrize("width", [1200, 500])
def test_nothing_is_wider_than_the_window(
    width: int, reports: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "plan.html"
    measure = "<script>document.body.dataset.wide = document.documentElement.scrollWidth > innerWidth</script>"
    text = re.sub(r"<meta http-equiv=[^>]+>", "", reports["plan"])
    path.write_text(text.replace("</body>", f"{measure}</body>"), encoding="utf-8")
    shown = browser(tmp_path, f"--window-size={width},900", "--dump-dom", f"file://{path}")
    assert 'data-wide="false"' in shown
    picture = tmp_path / f"plan-{width}.png"
    browser(tmp_path, f"--window-size={width},1600", f"--screenshot={picture}", f"file://{path}")
    assert picture.stat().st_size > 10_000


def test_a_page_needs_jinja_and_says_so_before_anything_is_done(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    pages._template.cache_clear()
    done = home("plan", "--report", "html=plan.html")
    assert done.status == 1
    assert "needs Jinja2" in done.err
    assert "html" in done.err
    assert done.out == ""
    assert not (home.folder / "plan.html").exists()
