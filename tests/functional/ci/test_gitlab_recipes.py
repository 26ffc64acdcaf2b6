"""The jobs for GitLab: the scripts of the template as the example extends them, each in a clone of its own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest
from ruamel.yaml import YAML

from tests.functional.ci.actions import ROOT, environment
from tests.functional.ci.conftest import SECRETS
from tests.functional.ci.forge import GITLAB_TOKEN
from tests.functional.conftest import LEAD
from tests.shell_programs import write_program

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.sandbox.session import Session
    from tests.functional.ci.conftest import Repository
    from tests.functional.ci.forge import Forge

TEMPLATE: Final = ROOT / "packaging" / "gitlab" / "reconciler.yml"
EXAMPLE: Final = ROOT / "packaging" / "examples" / "gitlab" / ".gitlab-ci.yml"
INSTALL: Final = 2
"""How many lines install the program; the tests put theirs in the place."""


def _read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


def _merged(base: Any, own: Any) -> Any:
    """What `extends` makes of two jobs: mappings are merged, everything else is replaced."""
    if isinstance(base, dict) and isinstance(own, dict):
        return {key: _merged(base.get(key), own.get(key, base.get(key))) for key in {**base, **own}}
    return base if own is None else own


JOBS: Final[dict[str, Any]] = {**_read(TEMPLATE), **_read(EXAMPLE)}
NAMES: Final = [name for name, job in _read(EXAMPLE).items() if isinstance(job, dict)]


def job(name: str) -> dict[str, Any]:
    own = JOBS[name]
    base = job(own["extends"]) if "extends" in own else {}
    found: dict[str, Any] = _merged(base, {k: v for k, v in own.items() if k != "extends"})
    return found


class GitLab:
    """Runs jobs; the artifacts of one are there in those that need it."""

    def __init__(self, repository: Repository, folder: Path, api: str) -> None:
        self.repository, self.folder = repository, folder
        self.environ = environment(
            CI="true", GITLAB_CI="true", CI_API_V4_URL=api, CI_PROJECT_ID="42", GITLAB_USER_LOGIN=LEAD,
            CI_MERGE_REQUEST_IID="1",
        )  # fmt: skip
        self.artifacts: dict[str, dict[str, bytes]] = {}

    def run(self, name: str, commit: str, **variables: str) -> tuple[int, str]:
        made = job(name)
        work = self.folder / name
        subprocess.run(["git", "clone", "-q", str(self.repository.origin), str(work)], check=True)
        subprocess.run(
            ["git", "fetch", "-q", "origin", commit], cwd=work, check=True, capture_output=True
        )
        subprocess.run(["git", "checkout", "-q", "--detach", commit], cwd=work, check=True)
        tools = self.folder / "tools"
        (tools / "bin").mkdir(parents=True, exist_ok=True)
        write_program(tools / "bin" / "python")
        write_program(tools / "bin" / "reconciler", "-m", "reconciler")
        if not (tools / "share").exists():
            (tools / "share" / "mail-reconciler").mkdir(parents=True)
            (tools / "share" / "mail-reconciler" / "ci").symlink_to(ROOT / "packaging" / "ci")
        environ = {**self.environ, "CI_PROJECT_DIR": str(work), **variables}
        for key, value in made.get("variables", {}).items():
            environ[key] = value.replace("$CI_PROJECT_DIR", str(work))
        reports = work / ".reconciler-reports"
        for needed in made.get("needs", []):
            reports.mkdir(exist_ok=True)
            for file, data in self.artifacts[needed].items():
                (reports / file).write_bytes(data)
        lines = [*made["before_script"][INSTALL:], *made["script"]]
        script = "\n".join(lines).replace("/tmp/reconciler/", f"{tools}/")
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], cwd=work, env=environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=110, check=False,
        )  # fmt: skip
        self.artifacts[name] = {path.name: path.read_bytes() for path in reports.iterdir()}
        for kind, path in made["artifacts"].get("reports", {}).items():
            assert list(work.glob(path)), kind
        return done.returncode, done.stdout


@pytest.fixture
def gitlab(repository: Repository, forge: Forge, tmp_path: Path) -> GitLab:
    return GitLab(repository, tmp_path / "jobs", forge.url)


def test_a_merge_request_is_validated_planned_and_commented(
    repository: Repository, gitlab: GitLab, forge: Forge
) -> None:
    base = repository.git("rev-parse", "main")
    repository.home.edit("info.yaml", "General enquiries", "Help desk")
    head, _ = repository.propose()
    assert gitlab.run("validate", head)[0] == 0
    code, said = gitlab.run("plan", head, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert code == 0, said
    assert said.startswith(f"Compared with {base} (commit {base[:12]}), not with what is applied")
    for text in ("Commented on !1.", "Replaced the comment on !1."):
        subprocess.run(["rm", "-rf", str(gitlab.folder / "comment")], check=True)
        code, said = gitlab.run("comment", head, RECONCILER_COMMENT_TOKEN=GITLAB_TOKEN)
        assert (code, said.strip()) == (0, text)
    (comment,) = forge.comments
    assert "Help desk" in comment["body"]


def test_validation_errors_are_in_the_reports(repository: Repository, gitlab: GitLab) -> None:
    repository.home.write("broken.yaml", "kind: EmailConnector\nname: Broken Name\n")
    head, _ = repository.propose()
    assert gitlab.run("validate", head)[0] == 3
    assert b"connectors.d/broken.yaml" in gitlab.artifacts["validate"]["validate.gitlab.json"]


def test_a_merged_change_is_applied_as_approved_and_tested_every_night(
    repository: Repository, gitlab: GitLab, accounts: Session, tmp_path: Path
) -> None:
    known = dict(accounts.environment)
    secrets = {name: known.pop(name) for name in SECRETS}
    known["RECONCILER_STATE"] = f"sqlite:///{tmp_path}/state/state.db"
    gitlab.environ |= known | {"RECONCILER_FINGERPRINT_KEY": "0123456789abcdef" * 4}
    done = repository.home.run(
        "apply", "--auto-approve", "--first-apply", **gitlab.environ, **secrets
    )
    assert done.status == 0, done.said
    repository.home.edit("info.yaml", "General enquiries", "Help desk")
    commit = repository.push()
    code, said = gitlab.run("save-plan", commit)
    assert code == 0, said
    code, said = gitlab.run("apply", commit, **secrets)
    assert code == 0, said
    assert "Resources: 0 added, 1 changed, 0 destroyed." in said
    code, said = gitlab.run("drift", commit, **secrets)
    assert code == 0, said
    code, said = gitlab.run("test", commit, **secrets)
    assert code == 0, said
    code, said = gitlab.run("result", commit)
    assert code == 0, said
    assert "Tested 2: 2 passed." in said


def test_secrets_go_to_jobs_of_an_environment_and_never_to_a_merge_request() -> None:
    for name in NAMES:
        made = job(name)
        of_merge_request = any("merge_request_event" in r.get("if", "") for r in made["rules"])
        assert not (of_merge_request and "environment" in made), name
        if of_merge_request and name != "comment":
            assert "TOKEN" not in str(made), name


def test_one_apply_runs_at_a_time_and_waits_for_a_person() -> None:
    made = job("apply")
    assert made["resource_group"] == job("save-plan")["resource_group"] == "email-connectors"
    assert [rule["when"] for rule in made["rules"]] == ["manual"]
    assert made["environment"] == {"name": "production"}


def test_everything_installed_has_hashes() -> None:
    install = job("plan")["before_script"][:INSTALL]
    assert install[0] == "python3 -m venv /tmp/reconciler"
    assert "--require-hashes" in install[1]
