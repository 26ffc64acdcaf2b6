"""The recipes for GitHub, run step by step in a repository with a bare remote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.functional.ci.actions import ROOT, WRITES, Event
from tests.functional.ci.conftest import SECRETS
from tests.functional.ci.forge import BOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.ci.actions import GitHub, Job, Run
    from tests.functional.ci.conftest import Repository
    from tests.functional.ci.forge import Forge

RECIPES: Final = ROOT / "packaging" / "examples" / "github"
MARKER: Final = "<!-- reconciler:plan project= environment= -->"


def proposed(github: GitHub, merge: str) -> Run:
    payload = {"pull_request": {"number": 1}}
    return github.run(RECIPES / "pull-request.yml", Event("pull_request", merge, payload, fork=True))  # fmt: skip


def commented(github: GitHub, run: Run, head: str, *, branch: str = "proposal") -> Job:
    owner = {"login": "mallory"}
    payload = {
        "workflow_run": {
            "id": run.number, "event": "pull_request", "conclusion": run.conclusion,
            "head_sha": head, "head_branch": branch, "head_repository": {"id": 99, "owner": owner},
        }
    }  # fmt: skip
    done = github.run(RECIPES / "comment.yml", Event("workflow_run", "main", payload))
    return done.jobs["comment"]


@pytest.fixture
def pull(forge: Forge) -> dict[str, Any]:
    """The open pull request of a fork, as the API describes it."""
    made = {"number": 1, "head": {"user": "mallory", "ref": "proposal", "sha": "", "repo": {"id": 99}}}  # fmt: skip
    forge.pulls.append(made)
    return made


def test_the_pull_request_of_a_fork_is_planned_and_commented_and_the_comment_is_replaced(
    repository: Repository, github: GitHub, forge: Forge, pull: dict[str, Any]
) -> None:
    forge.add_comment("mallory", f"{MARKER}\nNothing to see here.")
    repository.home.edit("info.yaml", "General enquiries", "Help desk")
    head, merge = repository.propose()
    pull["head"]["sha"] = head
    run = proposed(github, merge)
    assert run.conclusion == "success", run.jobs["plan"].said
    plan = run.jobs["plan"]
    assert "Compared with HEAD^1 (commit " in plan.said
    (outputs,) = [step.outputs for step in plan.steps if step.name == "plan"]
    counts = {name: outputs[name] for name in ("exit-code", "changed", "add", "change", "destroy", "errors")}  # fmt: skip
    assert counts == {"exit-code": "2", "changed": "true", "add": "0", "change": "1", "destroy": "0", "errors": "0"}  # fmt: skip
    assert "### Email connectors, compared with `HEAD^1`" in plan.summary
    assert commented(github, run, head).outcome == "success"
    _, ours = forge.comments
    assert ours["user"]["login"] == BOT
    assert ours["body"].startswith(f"{MARKER}\n\n<sub>From the run for commit {head[:12]} ")
    assert "Help desk" in ours["body"]

    repository.home.edit("info.yaml", "Help desk", "Front desk")
    head, merge = repository.propose()
    pull["head"]["sha"] = head
    assert commented(github, proposed(github, merge), head).outcome == "success"
    theirs, ours = forge.comments
    assert "Front desk" in ours["body"]
    assert "Help desk" not in ours["body"]
    assert theirs["body"].endswith("Nothing to see here.")


def test_changes_merged_meanwhile_are_not_shown_as_undone(
    repository: Repository, github: GitHub
) -> None:
    repository.home.edit("info.yaml", "General enquiries", "Help desk")
    repository.propose()
    repository.git("checkout", "-q", "main")
    repository.home.edit("invoices.yaml", "Supplier invoices", "Bills")
    repository.push()
    repository.git("checkout", "-q", "proposal")
    _, merge = repository.propose()
    plan = proposed(github, merge).jobs["plan"]
    assert '"Help desk"' in plan.said
    assert "Bills" not in plan.said


def test_a_configuration_that_is_not_valid_is_annotated_and_commented(
    repository: Repository, github: GitHub, forge: Forge, pull: dict[str, Any]
) -> None:
    repository.home.write("broken.yaml", "kind: EmailConnector\nname: Broken Name\n")
    head, merge = repository.propose()
    pull["head"]["sha"] = head
    run = proposed(github, merge)
    assert run.conclusion == "failure"
    assert "::error file=connectors.d/broken.yaml,line=2" in run.jobs["plan"].said
    assert commented(github, run, head).outcome == "success"
    (comment,) = forge.comments
    assert "#### Problems of the configuration" in comment["body"]
    assert "connectors.d/broken.yaml:2:7" in comment["body"]


@pytest.mark.parametrize("what", ["moved on", "another branch", "another fork"])
def test_a_run_comments_on_no_pull_request_but_its_own(
    what: str, repository: Repository, github: GitHub, forge: Forge, pull: dict[str, Any]
) -> None:
    head, merge = repository.propose()
    run = proposed(github, merge)
    pull["head"]["sha"] = "0" * 40 if what == "moved on" else head
    if what == "another fork":
        pull["head"]["repo"] = {"id": 100}
    branch = "elsewhere" if what == "another branch" else "proposal"
    job = commented(github, run, head, branch=branch)
    assert job.outcome == "success"
    assert "nothing was written" in job.said
    assert forge.comments == []


@pytest.mark.parametrize("trick", ["no marker", "link", "long", "not text", "nothing"])
def test_an_artifact_is_only_text(
    trick: str, repository: Repository, github: GitHub, forge: Forge, pull: dict[str, Any],
    tmp_path: Path,
) -> None:  # fmt: skip
    head, merge = repository.propose()
    pull["head"]["sha"] = head
    run = proposed(github, merge)
    artifact = tmp_path / "runs" / "artifacts" / str(run.number) / "plan" / "plan.md"
    artifact.unlink()
    if trick == "link":
        target = tmp_path / "secret"
        target.write_text(f"{MARKER}\nsecret\n")
        artifact.symlink_to(target)
    elif trick == "no marker":
        artifact.write_text("# Approved by security\n")
    elif trick == "long":
        artifact.write_text(f"{MARKER}\n{'x' * 70_000}\n")
    elif trick == "not text":
        artifact.write_bytes(MARKER.encode() + b"\n\xff")
    job = commented(github, run, head)
    assert job.outcome == "failure"
    assert "Error: " in job.said
    assert "Traceback" not in job.said
    assert forge.comments == []


def test_a_run_of_a_fork_could_not_write_a_comment_itself(
    repository: Repository, github: GitHub, forge: Forge, tmp_path: Path
) -> None:
    _, merge = repository.propose()
    recipe = tmp_path / "eager.yml"
    text = (RECIPES / "pull-request.yml").read_text()
    recipe.write_text(text.replace("command: validate", "command: comment\n          comment: plan.md"))  # fmt: skip
    repository.home.write("../plan.md", f"{MARKER}\nHello.\n")
    repository.git("add", "plan.md")
    _, merge = repository.propose()
    event = Event("pull_request", merge, {"pull_request": {"number": 1}}, fork=True)
    said = github.run(recipe, event).jobs["plan"].said
    assert "was answered with 403" in said
    assert WRITES not in said
    assert forge.comments == []


# --- with secrets ---------------------------------------------------------------------------------


def first_apply(repository: Repository, live: GitHub) -> None:
    """Apply once by hand, as the documentation says."""
    secrets = {**live.secrets[""], **live.secrets["production"]}
    state = {"RECONCILER_STATE": live.variables["RECONCILER_STATE"]}
    done = repository.home.run("apply", "--auto-approve", **live.environ, **secrets, **state)
    assert done.status == 0, done.said
    document = json.loads(repository.home.run("plan", "--format", "json", **live.environ, **state).out)  # fmt: skip
    live.variables["RECONCILER_LINEAGE"] = document["lineage"]


def exposed(job: Job) -> dict[str, list[str]]:
    """The steps that got a secret of a mail account."""
    found = {step.name: [name for name in SECRETS if name in step.environ] for step in job.steps}
    return {name: secrets for name, secrets in found.items() if secrets}


def test_a_merged_change_is_planned_approved_and_applied(
    repository: Repository, live: GitHub
) -> None:
    first_apply(repository, live)
    repository.home.edit("info.yaml", "General enquiries", "Help desk")
    event = Event("push", repository.push())
    run = live.run(RECIPES / "apply.yml", event)
    assert run.conclusion == "success", "\n".join(job.said for job in run.jobs.values())
    assert run.jobs["plan"].outputs == {"changed": "true"}
    assert exposed(run.jobs["plan"]) == {}
    assert "Saved the plan." in run.jobs["plan"].said
    assert "Apply complete! Resources: 0 added, 1 changed, 0 destroyed." in run.jobs["apply"].said
    assert list(exposed(run.jobs["apply"])) == ["contoso/reconciler 2"]
    again = live.run(RECIPES / "apply.yml", event)
    assert again.jobs["plan"].outputs == {"changed": "false"}
    assert again.jobs["apply"].outcome == "skipped"


def test_a_plan_that_was_overtaken_is_not_applied(repository: Repository, live: GitHub) -> None:
    first_apply(repository, live)
    repository.home.edit("info.yaml", "General enquiries", "Help desk")
    commit = repository.push()
    recipe = RECIPES / "apply.yml"
    waiting = live.run(recipe, Event("push", commit))
    assert waiting.conclusion == "success"
    old = live.folder / "artifacts" / str(waiting.number) / "saved-plan"
    repository.home.edit("info.yaml", "Help desk", "Front desk")
    later = live.run(recipe, Event("push", repository.push()))
    assert later.conclusion == "success"
    saved = live.folder / "artifacts" / str(later.number) / "saved-plan" / "plan.json"
    saved.write_bytes((old / "plan.json").read_bytes())
    state = {"RECONCILER_STATE": live.variables["RECONCILER_STATE"], **live.secrets[""]}
    done = repository.home.run("apply", str(saved), "--auto-approve", **live.environ, **state)
    assert done.status == 6, done.said


def test_branches_that_are_trusted_are_tested_live(repository: Repository, live: GitHub) -> None:
    first_apply(repository, live)
    run = live.run(RECIPES / "test.yml", Event("push", repository.push()))
    job = run.jobs["test"]
    assert job.outcome == "success", job.said
    assert "Tested 2: 2 passed." in job.said
    assert list(exposed(job)) == ["contoso/reconciler 1"]


def test_the_shards_test_everything_once_and_their_reports_are_merged(
    repository: Repository, live: GitHub
) -> None:
    first_apply(repository, live)
    run = live.run(RECIPES / "shards.yml", Event("workflow_dispatch", repository.push()))
    assert run.conclusion == "success", "\n".join(job.said for job in run.jobs.values())
    assert len(run.jobs) == 5
    assert "Tested 2: 2 passed." in run.jobs["result"].said
    assert exposed(run.jobs["result"]) == {}


def test_the_night_finds_a_rejected_password(repository: Repository, live: GitHub) -> None:
    first_apply(repository, live)
    event = Event("schedule", repository.push())
    assert live.run(RECIPES / "drift.yml", event).conclusion == "success"
    live.secrets["production-drift"] = {**live.secrets["production"], "INFO_APP_PASSWORD": "wrong"}
    job = live.run(RECIPES / "drift.yml", event).jobs["drift"]
    assert job.outcome == "failure"
    assert "auth_rejected" in job.said
    assert "auth_rejected" in job.summary


def test_a_variable_that_is_missing_stops_the_run_and_names_it(
    repository: Repository, live: GitHub
) -> None:
    run = live.run(RECIPES / "apply.yml", Event("push", repository.push()))
    assert run.conclusion == "failure"
    assert "RECONCILER_LINEAGE is set but empty" in run.jobs["plan"].said
