"""A repository with a bare remote, its mail accounts in a sandbox, and a forge that takes comments."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.config.load import load
from reconciler.sandbox.session import Sandbox
from tests.functional.ci.actions import GitHub, environment
from tests.functional.ci.forge import Forge
from tests.functional.conftest import EXAMPLE, LEAD, Home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.sandbox.session import Session

FILES: Final = ("groups.yaml", "info.yaml", "invoices.yaml", "providers.yaml", "roles.yaml")
SECRETS: Final[tuple[str, ...]] = ("INFO_APP_PASSWORD", "INVOICES_PASSWORD")

RULES: Final = """\
credentials:
  - references: ["env:*_PASSWORD"]
    hosts: ["*.contoso.example", "*.gmail.com"]
"""


@dataclass(frozen=True)
class Repository:
    """A work tree, the bare remote that it pushes to, and the same by name for a pull request."""

    home: Home
    origin: Path

    def git(self, *words: str) -> str:
        made = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@contoso.example", *words]
        done = subprocess.run(
            made, cwd=self.home.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def push(self) -> str:
        """Commit everything to ``main`` and push it; returns the commit."""
        self.git("add", "--all", "connectors.d")
        self.git("commit", "-q", "--allow-empty", "-m", "A change.")
        self.git("push", "-q", "origin", "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD")

    def propose(self) -> tuple[str, str]:
        """Push the files as pull request 1; returns its head, and the merge that GitHub makes of it."""
        self.git("checkout", "-q", "-B", "proposal")
        self.git("add", "--all", "connectors.d")
        self.git("commit", "-q", "--allow-empty", "-m", "A proposal.")
        head = self.git("rev-parse", "HEAD")
        self.git("checkout", "-q", "--detach", "main")
        self.git("merge", "-q", "--no-ff", "-m", "Merge", head)
        merge = self.git("rev-parse", "HEAD")
        self.git(
            "push", "-q", "-f", "origin", f"{head}:refs/pull/1/head", f"{merge}:refs/pull/1/merge"
        )
        self.git("checkout", "-q", "proposal")
        return head, merge


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    home = Home(tmp_path / "clone")
    home.config.mkdir(parents=True)
    for name in FILES:
        shutil.copy(EXAMPLE / name, home.config / name)
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(origin)], check=True)
    subprocess.run(
        ["git", "-C", str(origin), "config", "uploadpack.allowAnySHA1InWant", "true"], check=True
    )
    made = Repository(home, origin)
    made.git("init", "-q", "-b", "main")
    made.git("remote", "add", "origin", str(origin))
    made.push()
    return made


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The servers of the accounts in the repository."""
    folder = tmp_path_factory.mktemp("accounts")
    for name in FILES:
        shutil.copy(EXAMPLE / name, folder / name)
    snapshot = load(folder).snapshot
    assert snapshot is not None
    with Sandbox(snapshot.connectors, tmp_path_factory.mktemp("sandbox")) as session:
        yield session


@pytest.fixture
def forge() -> Iterator[Forge]:
    with Forge() as made:
        yield made


@pytest.fixture
def github(repository: Repository, forge: Forge, tmp_path: Path) -> GitHub:
    """The repository without any secret."""
    return GitHub(tmp_path / "runs", repository.origin, environment(), api=forge.url)


@pytest.fixture
def live(github: GitHub, accounts: Session, tmp_path: Path) -> GitHub:
    """The repository with its secrets, and servers in place of the real ones."""
    known = dict(accounts.environment)
    secrets = {name: known.pop(name) for name in SECRETS}
    known.pop("RECONCILER_STATE")
    github.environ |= known | {"RECONCILER_ACTOR": LEAD}
    github.variables = {
        "RECONCILER_STATE": f"sqlite:///{tmp_path}/state/state.db",
        "MAIL_RULES": RULES,
    }
    github.secrets = {
        "": {"RECONCILER_FINGERPRINT_KEY": "0123456789abcdef" * 4},
        "production": secrets,
        "production-drift": secrets,
        "mail-tests": secrets,
    }
    return github
