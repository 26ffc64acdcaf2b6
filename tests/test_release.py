"""What is released: the wheel works where nothing else of this checkout is, and the sdist makes the same wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from email.message import Message

ROOT: Final = Path(__file__).parents[1]
PLACE: Final = "https://git.example.com/mail/reconciler"
WORKFLOW: Final = ROOT / ".github" / "workflows" / "release.yml"


@dataclass(frozen=True)
class Built:
    """A wheel and an sdist."""

    wheel: Path
    sdist: Path

    @property
    def metadata(self) -> Message[str, str]:
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
            return HeaderParser().parsestr(archive.read(name).decode())


def build(source: Path, out: Path, *targets: str) -> None:
    if find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: it is in the group build")
    words = [word for target in targets for word in ("--target", target)]
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(out), *words],
        cwd=source, env={**os.environ, "PROJECT_URL": PLACE, "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("dist")
    build(ROOT, out, "wheel", "sdist")
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Built(wheel, sdist)


def test_the_metadata_names_the_repository_that_made_the_release(built: Built) -> None:
    metadata = built.metadata
    assert metadata["Name"] == "mail-reconciler"
    assert metadata["Author"] == "The authors of reconciler"
    urls = dict(url.split(", ") for url in metadata.get_all("Project-URL", []))
    assert urls["Source"] == PLACE
    assert all(url.startswith(PLACE) for url in urls.values())


def test_the_source_distribution_makes_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    for name in ("action.yml", "packaging/requirements/runtime.txt", "tests/test_release.py"):
        assert (source / name).is_file(), name
    build(source, tmp_path / "again", "wheel")
    again = tmp_path / "again" / built.wheel.name
    assert again.read_bytes() == built.wheel.read_bytes()


def test_the_wheel_works_in_an_environment_of_its_own(built: Built, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=False)
    python = fresh / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]  # fmt: skip
    subprocess.run([*install, str(built.wheel)], check=True, capture_output=True)
    # Its dependencies are those of the tests; the checkout, which is among them by a .pth file, is not.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = fresh / "lib" / version / "site-packages"
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    project = tmp_path / "project"
    shutil.copytree(ROOT / "connectors.d", project / "connectors.d")

    def reconciler(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(fresh / "bin" / "reconciler"), *arguments], cwd=project,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    where = subprocess.run(
        [str(python), "-I", "-c", "import reconciler; print(reconciler.__file__)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(fresh)
    done = reconciler("validate")
    assert done.returncode == 0, done.stderr
    assert "The configuration is valid" in done.stdout
    assert json.loads(reconciler("schema", "plan").stdout)["$id"].startswith("https://")
    assert reconciler("plan").returncode == 0
    shared = fresh / "share" / "mail-reconciler"
    assert (shared / "schemas" / "connectors.schema.json").is_file()
    assert (shared / "ci" / "comment.py").is_file()


def test_an_image_copies_all_that_the_wheel_is_made_of(built: Built, tmp_path: Path) -> None:
    text = (ROOT / "packaging" / "container" / "Containerfile").read_text("utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *names, to = line.split()
        for name in names:
            source, target = ROOT / name, tmp_path / (name if to == "./" else to)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
    build(tmp_path, tmp_path / "dist", "wheel")
    made = tmp_path / "dist" / built.wheel.name
    assert zipfile.ZipFile(made).namelist() == zipfile.ZipFile(built.wheel).namelist()


def test_only_the_jobs_that_publish_may_write_and_they_run_no_code_of_the_checkout() -> None:
    workflow = YAML(typ="safe").load(WORKFLOW.read_text("utf-8"))
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"]
    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert jobs["index"]["permissions"] == {"id-token": "write"}
    for name in ("index", "release"):
        uses = [step.get("uses", "").partition("@")[0] for step in jobs[name]["steps"]]
        assert jobs[name]["needs"] == "build"
        assert "actions/checkout" not in uses
    assert "password" not in WORKFLOW.read_text("utf-8").replace("without a password", "")
