"""The site builds without a warning, and its reference says what the program and the schemas say."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.test_docs import COMMANDS

if TYPE_CHECKING:
    from types import ModuleType

ROOT: Final = Path(__file__).parents[2]
SITE: Final = ROOT / "packaging" / "site"


def loaded(name: str) -> ModuleType:
    """A module of what builds the site."""
    spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return loaded("reference")


class Links(HTMLParser):
    """What a page loads from elsewhere, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.loaded.append(values.get("src") or "")
        if tag == "link" and values.get("rel") in ("stylesheet", "icon", "preconnect"):
            self.loaded.append(values.get("href") or "")


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: it is in the group docs of pyproject.toml")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env={"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 35
    for page in pages:
        links = Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert [item for item in links.loaded if item.startswith(("http:", "https:", "//"))] == []
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "Email connectors as code" in home
    assert (site / "schemas" / "plan.schema.json").exists()


def test_the_page_of_commands_has_every_command_and_option(reference: ModuleType) -> None:
    page = reference.commands_page()
    for name, command in COMMANDS.items():
        assert f"# reconciler {name}\n".replace(" \n", "\n") in page, name
        for item in command.params:
            for option in item.opts:
                if option.startswith("--") and not getattr(item, "hidden", False):
                    assert option in page, (name, option)


@pytest.mark.parametrize("name", ["connectors", "settings"])
def test_the_pages_of_fields_have_every_field_of_the_schema(
    name: str, reference: ModuleType
) -> None:
    page = reference.fields_page(name, "Title", "Intro.")
    schema: Any = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    for definition in schema["$defs"].values():
        for field in definition.get("properties", {}):
            assert f"| `{field}` |" in page


def test_help_text_contains_no_markup(reference: ModuleType) -> None:
    assert reference._cell("a | b <c> *d* [e] `f | <g>`") == (
        r"a \| b \<c\> \*d\* \[e\] `f \| <g>`"
    )


def test_every_command_has_a_man_page_that_man_shows(reference: ModuleType, tmp_path: Path) -> None:
    pages = reference.write_man_pages(tmp_path)
    assert {page.name for page in pages} == {
        f"{f'reconciler {name}'.strip().replace(' ', '-')}.1" for name in COMMANDS
    }
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed, so no page is shown")
    for page in pages:
        done = subprocess.run(
            ["groff", "-Kutf8", "-man", "-Tutf8", "-ww", "-Wbreak", str(page)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert "EXAMPLES" in re.sub(".\b", "", done.stdout)


def test_no_line_of_a_man_page_is_a_roff_request(reference: ModuleType) -> None:
    assert reference._roff(".env and --help \\n") == "\\&.env and \\-\\-help \\en"


def test_the_picture_of_the_architecture_has_every_package() -> None:
    architecture = loaded("architecture")
    drawn = {name for row in architecture.layers() for name in row}
    packages = {path.parent.name for path in (ROOT / "reconciler").glob("*/__init__.py")}
    # What holds data or old migrations, and is imported by nobody.
    assert packages - drawn <= {"providers", "pages"}
    ranks = {name: rank for rank, row in enumerate(architecture.layers()) for name in row}
    for name in drawn:
        assert all(
            ranks[other] > ranks[name] for other in architecture.imports(name) if other in ranks
        )
    page = architecture.page()
    assert all(f">{name}<" in page for name in drawn)
