"""Nothing is installed or run in CI, or by a recipe, that its author could replace later."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.utils import canonicalize_name

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
WORKFLOWS: Final = sorted((ROOT / ".github").rglob("*.y*ml"))
RECIPES: Final = sorted(
    [
        ROOT / "action.yml",
        *(ROOT / "packaging").glob("gitlab/*.yml"),
        *(ROOT / "packaging" / "examples").rglob("*.yml"),
    ]
)
USES: Final = [
    (f"{path.relative_to(ROOT)}:{number}", found[1])
    for path in (*PAGES, *WORKFLOWS, *RECIPES)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    if (found := re.search(r"\buses:\s*(.*)", line))
]
LOCKS: Final = sorted((ROOT / "packaging" / "requirements").glob("*.txt"))


def test_workflows_recipes_and_locks_are_found() -> None:
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "release.yml"}
    assert {path.stem for path in LOCKS} == {"benchmark", "build", "ci", "release", "runtime"}
    assert len(USES) >= 10


@pytest.mark.parametrize("use", [pytest.param(use, id=place) for place, use in USES])
def test_every_action_is_pinned_by_commit_and_names_its_release(use: str) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)


def test_an_action_has_one_commit_and_one_release_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for _, use in USES:
        name, _, pin = use.partition("@")
        pins.setdefault(name, set()).add(pin)
    assert {name: found for name, found in pins.items() if len(found) != 1} == {}


def _pip(path: Path) -> list[str]:
    text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
    return [line.strip() for line in re.findall(r"pip install[^\n&`]*", text)]


@pytest.mark.parametrize(
    "path", [*PAGES, *WORKFLOWS, *RECIPES, ROOT / ".ci" / "run"], ids=lambda path: path.name
)
def test_whatever_is_installed_has_a_hash_or_lies_here(path: Path) -> None:
    for line in _pip(path):
        of_the_checkout = re.search(r"( -e| --editable)? '?\.(\[[a-z,]+\])?'?($| --group)", line)
        only_pip = re.search(r"install( -q)? --upgrade pip$", line)
        by_hand = path.name in {"README.md", "CONTRIBUTING.md", "tutorial.md"} and (
            of_the_checkout or only_pip
        )
        without_dependencies = (
            of_the_checkout and "--no-deps" in line and "--no-build-isolation" in line
        )
        built_here = line.endswith("install --no-deps --no-index dist/*.whl")
        assert "--require-hashes" in line or by_hand or without_dependencies or built_here, line


def test_the_action_installs_its_own_checkout_and_locked_versions() -> None:
    text = (ROOT / "packaging" / "ci" / "install").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith('"${pip[@]}" install')]
    of_locks = [re.fullmatch(r'.* --require-hashes --requirement "\$checkout/packaging/requirements/(\w+)\.txt"', line)
                for line in lines[:-1]]  # fmt: skip
    assert [found[1] for found in of_locks if found] == ["runtime", "build"]
    assert lines[-1].endswith('install --no-deps --no-build-isolation "$checkout"')


def _locked(path: Path) -> dict[str, str]:
    """Every pin of a lock file, with its version; the hashes are checked on the way."""
    text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pin = re.fullmatch(
            r"([\w.-]+)(?:\[[\w,]+\])?==(\S+)(?: ; [^-]*?)?((?: *--hash=sha256:[0-9a-f]{64})+)",
            line,
        )
        assert pin is not None, line
        found[canonicalize_name(pin[1])] = pin[2]
    return found


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("runtime", ()),
        ("build", ("build",)),
        ("ci", ("test", "lint", "build")),
        ("release", ("build", "release")),
    ],
)
def test_a_lock_holds_what_the_project_asks_for(lock: str, groups: tuple[str, ...]) -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [item for group in groups for item in project["dependency-groups"][group]]
    if lock not in {"build", "release"}:
        asked += project["project"]["dependencies"]
        for extra in project["project"]["optional-dependencies"].values():
            asked += extra
    if "build" in groups:
        asked += project["build-system"]["requires"]
    locked = _locked(ROOT / "packaging" / "requirements" / f"{lock}.txt")
    for text in asked:
        requirement = Requirement(text)
        if requirement.name == "mail-reconciler":
            continue
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), text


def test_the_locks_agree_and_name_no_other_index() -> None:
    runtime = _locked(ROOT / "packaging" / "requirements" / "runtime.txt")
    assert runtime.items() <= _locked(ROOT / "packaging" / "requirements" / "ci.txt").items()
    for path in LOCKS:
        text = path.read_text(encoding="utf-8")
        assert "index-url" not in text
        assert "://" not in text
        assert ".ci/lock" in text


def test_a_release_includes_its_sbom_and_digests() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "cyclonedx-py requirements packaging/requirements/runtime.txt" in text
    assert "--output-file beside/sbom.cdx.json" in text
    assert "sha256sum" in text
    assert text.index("sbom.cdx.json") < text.index("sha256sum") < text.index("gh release create")


def test_no_page_and_no_message_installs_a_package_of_the_index_by_name() -> None:
    """The one called reconciler there is another project's, and an installing machine may hold secrets."""
    texts = {
        path: path.read_text(encoding="utf-8")
        for folder in ("reconciler", "docs", ".github", ".ci", "packaging")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".yml", ""} and path.is_file()
    }
    texts |= {
        ROOT / name: (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md")
    }
    named = re.compile(
        r"""(?:pip|pipx|uv)\b[^\n]*\binstall\b[^\n&;|]*[ '"](?:mail-)?reconciler\b(?! @)"""
    )
    assert len(texts) > 200
    assert [str(path) for path, text in texts.items() if named.search(text)] == []
