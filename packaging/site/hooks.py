"""What mkdocs adds to the pages of ``docs/``: the home page, the reference, the schemas, the decisions.

Pages link to files of the repository as GitHub shows them; here those links lead to copies on the site.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
import architecture
import reference

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
COPIED = ("schemas", "packaging", "connectors.d", "action.yml")
"""Folders and files of the repository that pages link to."""

PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "LICENSE": "license.md",
}
"""Files beside the README, and the pages that they become."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what is made from the code, and the files that pages link to."""
    for uri, text in made().items():
        files.append(File.generated(config, uri, content=text))
    style = (Path(__file__).parent / "site.css").read_text(encoding="utf-8")
    files.append(File.generated(config, "site.css", content=style))
    for name in COPIED:
        for path in sorted([ROOT / name, *(ROOT / name).rglob("*")]):
            if path.is_file() and path.suffix not in (".pyc", ".md"):
                uri = path.relative_to(ROOT).as_posix()
                files.append(File.generated(config, uri, content=path.read_bytes()))
    return files


def made() -> dict[str, str]:
    """The pages that are made from other files, by their addresses."""
    pages = {
        "index.md": _home((ROOT / "README.md").read_text(encoding="utf-8")),
        "reference/commands.md": reference.commands_page(),
        "reference/documents.md": reference.fields_page(
            "connectors",
            "Documents",
            "Every kind of document in `connectors.d/`, and every field of it.",
        ),
        "reference/settings.md": reference.fields_page(
            "settings", "Settings", "Every field of `reconciler.yaml`."
        ),
        "reference/architecture.md": architecture.page(),
        "decisions/index.md": _decisions(),
    }
    for source, target in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        pages[target] = f"# License\n\n```text\n{text}```\n" if source == "LICENSE" else _home(text)
    return pages


def _home(text: str) -> str:
    """A page from beside the README, with links as they are below ``docs/``."""
    text = re.sub(r"\]\(docs/decisions/?\)", "](decisions/index.md)", text)
    text = re.sub(r"\]\(docs/", "](", text)
    text = re.sub(r"\]\(connectors\.d/?\)", "](tutorial.md)", text)
    for source, target in PAGES.items():
        text = text.replace(f"]({source}", f"]({target}")
    return text


def _decisions() -> str:
    lines = ["# Decisions\n", "What was decided, when, and why.\n"]
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        lines.append(f"- {path.name[:10]}: [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs hands them over
    """Let links to files of the repository lead to their copies, or to the pages made of them."""
    up = "../" * page.file.src_uri.count("/")
    markdown = markdown.replace(f"]({up}../README.md", f"]({up}index.md")
    for source, target in PAGES.items():
        markdown = markdown.replace(f"]({up}../{source}", f"]({up}{target}")
    copied = "|".join(map(re.escape, COPIED))
    return re.sub(rf"\]\({re.escape(up)}\.\./(?=({copied})[/)])", f"]({up}", markdown)
