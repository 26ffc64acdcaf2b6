"""``plan --base``: two trees of git are compared, and nothing else is read, run or fetched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from reconciler.app.schemas import schema
from reconciler.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Home

ACCOUNT = """\
kind: EmailConnector
name: {name}
imap: {{server: imap.contoso.example, port: 993, use_ssl: true, username: {name}@contoso.example, password: "env:X"}}
"""


def git(folder: Path, *arguments: str, stdin: str = "") -> str:
    """Run git as a developer would."""
    made = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@contoso.example",
            "-c", "protocol.file.allow=always", *arguments]  # fmt: skip
    done = subprocess.run(
        made, cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(home: Home) -> str:
    git(home.folder, "add", "--all")
    git(home.folder, "commit", "--quiet", "--allow-empty", "--message", "A change.")
    return git(home.folder, "rev-parse", "HEAD")


@pytest.fixture
def cloned(home: Home) -> Home:
    """The shipped example in a repository of its own, as one commit on ``main``."""
    git(home.folder, "init", "--quiet", "--initial-branch", "main")
    commit(home)
    return home


def test_two_commits_are_compared_without_state_secret_or_network(cloned: Home) -> None:
    base = git(cloned.folder, "rev-parse", "main")
    cloned.edit("support.yaml", "Support mailbox ", "Help desk ")
    cloned.remove("invoices.yaml")
    cloned.write("sales.yaml", ACCOUNT.format(name="sales"))
    unreachable = {"RECONCILER_STATE": "postgresql://nobody@192.0.2.1/none"}
    done = cloned("plan", "--base", "main", "--detailed-exitcode", **unreachable)
    assert done.status == ExitCode.CHANGES_PENDING, done.said
    first = done.out.splitlines()[0]
    assert first == (
        f"Compared with main (commit {base[:12]}), not with what is applied: no state was read."
    )
    assert '~ display_name = "Support mailbox" -> "Help desk"' in done.out
    assert "# EmailConnector.invoices will be destroyed" in done.out
    assert "# EmailConnector.sales will be created" in done.out
    assert "Plan: 1 to add, 1 to change, 2 to destroy." in done.out
    assert "An apply will:" not in done.out
    assert "revision" not in done.out
    assert not (cloned.folder / ".reconciler").exists()


def test_later_commits_count_like_the_files(cloned: Home) -> None:
    cloned.edit("support.yaml", "Support mailbox ", "Help desk ")
    commit(cloned)
    assert cloned("plan", "--base", "HEAD", "--detailed-exitcode").status == 0
    assert cloned("plan", "--base", "HEAD^1", "--detailed-exitcode").status == 2


def test_no_difference_is_reported_for_the_commit_not_for_a_state(cloned: Home) -> None:
    done = cloned("plan", "--base", "main")
    assert "No changes. The configuration means the same as that of main." in done.out
    assert "stored state" not in done.out


def test_every_report_says_what_was_compared(cloned: Home) -> None:
    base = git(cloned.folder, "rev-parse", "main")
    cloned.edit("support.yaml", "Support mailbox ", "Help desk ")
    names = ("json", "markdown", "junit", "sarif", "gitlab", "github")
    options = [word for name in names for word in ("--report", f"{name}=out/r.{name}")]
    done = cloned("plan", "--base", "main", "--format", "json", *options)
    assert done.status == 0, done.err
    document = json.loads(done.out)
    assert json.loads((cloned.folder / "out/r.json").read_text()) == document
    Draft202012Validator(schema("plan")).validate(document)
    assert document["base"] == {"ref": "main", "commit": base}
    assert (document["lineage"], document["serial"], document["authorization"]) == ("", 0, None)
    assert [item["address"] for item in document["resource_changes"]] == ["EmailConnector.support"]
    marker, _, title, *lines = (cloned.folder / "out/r.markdown").read_text().splitlines()
    assert marker.startswith("<!-- reconciler:plan ")
    assert title == "### Email connectors, compared with `main`"
    assert any("not with what is applied" in line for line in lines)
    assert ET.parse(cloned.folder / "out/r.junit").getroot().get("failures") == "0"


def test_limits_and_secrets_are_judged_as_if_the_commit_were_applied(cloned: Home) -> None:
    cloned.edit("policy.yaml", "enabled: false", "enabled: true")
    cloned.write("thief.yaml", ACCOUNT.format(name="thief").replace("env:X", "env:STOLEN"))
    del cloned.environ["RECONCILER_ALLOW_CREDENTIAL"]
    done = cloned("plan", "--base", "main")
    assert "If main is what is applied, an apply would be refused:" in done.out
    assert "the global SMTP policy changes" in done.out
    assert "thief would send env:STOLEN to imap.contoso.example for the first time" in done.out
    assert "global SMTP policy" not in cloned("plan", "--base", "main", "--allow-policy-change",
                                             "--only", "thief").out  # fmt: skip


def test_a_scope_narrows_it_down(cloned: Home) -> None:
    cloned.edit("support.yaml", "Support mailbox ", "Help desk ")
    cloned.remove("invoices.yaml")
    done = cloned("plan", "--base", "main", "--only", "support")
    assert "This plan is partial" in done.out
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in done.out


def test_a_rename_is_one(cloned: Home) -> None:
    assert cloned("rename", "invoices", "bills").status == 0
    done = cloned("plan", "--base", "main")
    assert "# EmailConnector.invoices will be renamed to bills" in done.out, done.out


def test_each_side_is_read_for_the_same_environment(cloned: Home) -> None:
    cloned.write(
        "../reconciler.yaml",
        "variables: {host: {type: host}}\n"
        "environments:\n"
        "  live: {variables: {host: live.contoso.example}}\n"
        "  trial: {variables: {host: trial.contoso.example}}\n",
    )
    cloned.write(
        "sales.yaml", ACCOUNT.format(name="sales").replace("imap.contoso.example", "'${var.host}'")
    )
    commit(cloned)
    cloned.write(
        "../reconciler.yaml",
        "variables: {host: {type: host}}\n"
        "environments:\n"
        "  live: {variables: {host: new.contoso.example}}\n"
        "  trial: {variables: {host: trial.contoso.example}}\n"
        "  third: {variables: {host: third.contoso.example}}\n",
    )
    assert cloned("plan", "--base", "main").status == ExitCode.USAGE
    same = cloned("plan", "--base", "main", "--env", "trial", "--detailed-exitcode")
    assert same.status == 0, same.said
    assert same.out.splitlines()[2] == "Environment: trial"
    other = cloned("plan", "--base", "main", "--env", "live")
    assert '"live.contoso.example" -> "new.contoso.example"' in other.out
    new = cloned("plan", "--base", "main", "--env", "third")
    assert "main declares no environment third, so all of it is new" in new.err
    assert "0 to change, 0 to destroy" in new.out


def test_settings_that_differ_are_listed_too(cloned: Home) -> None:
    cloned.write("../reconciler.yaml", "limits: {max_delete_percent: 10}\n")
    done = cloned("plan", "--base", "main")
    assert "Settings that differ from main:" in done.out
    assert "limits.max_delete_percent: 30 (default) -> 10 (reconciler.yaml)" in done.out


def test_a_project_in_a_subfolder_is_found_in_the_commit_too(cloned: Home) -> None:
    below = cloned.folder / "mail"
    below.mkdir()
    git(cloned.folder, "mv", "connectors.d", "mail/connectors.d")
    commit(cloned)
    (below / "connectors.d" / "invoices.yaml").unlink()
    for arguments in (("-C", "mail"), ("-c", "mail"), ("-c", "mail/connectors.d")):
        done = cloned("plan", *arguments, "--base", "HEAD")
        assert "Plan: 0 to add, 0 to change, 2 to destroy." in done.out, done.said
    done = cloned("plan", "-C", "mail", "--base", "HEAD^1")
    assert "HEAD^1 has no project here, so all of it is new" in done.err


def test_links_are_followed_as_in_the_files(cloned: Home) -> None:
    hidden = cloned.config / "..data"
    hidden.mkdir()
    shutil.move(cloned.config / "invoices.yaml", hidden / "invoices.yaml")
    (cloned.config / "invoices.yaml").symlink_to("..data/invoices.yaml")
    shutil.move(cloned.config, cloned.folder / "real")
    cloned.config.symlink_to("real")
    base = commit(cloned)
    assert cloned("plan", "--base", base, "--detailed-exitcode").status == 0
    (cloned.config / "invoices.yaml").unlink()
    assert "# EmailConnector.invoices will be destroyed" in cloned("plan", "--base", base).out


# --- what cannot be compared ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [("--state", "x.db"), ("--out", "plan.json"), ("--check-secrets",), ("--test",), ("--first-apply",)],
)  # fmt: skip
def test_options_that_need_a_state_or_a_secret_are_rejected(
    options: tuple[str, ...], cloned: Home
) -> None:
    done = cloned("plan", "--base", "main", *options)
    assert done.status == ExitCode.USAGE
    assert f"{options[0]} and --base exclude each other" in done.err
    assert cloned("apply", "--base", "main").status == ExitCode.USAGE


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", "", "a\nb", "HEAD:connectors.d"])
def test_an_unknown_commit_is_a_usage_error(ref: str, cloned: Home) -> None:
    done = cloned("plan", f"--base={ref}", "--report", "json=r.json")
    assert done.status == ExitCode.USAGE
    assert "git knows no commit" in done.err or "invalid commit" in done.err
    assert not (cloned.folder / "x").exists()
    assert "commit" in json.loads((cloned.folder / "r.json").read_text())["error"]


def test_a_shallow_clone_is_named_as_the_reason(cloned: Home) -> None:
    old = git(cloned.folder, "rev-parse", "main")
    commit(cloned)
    shallow = cloned.folder.parent / "shallow"
    git(cloned.folder.parent, "clone", "-q", "--depth", "1", f"file://{cloned.folder}", "shallow")
    done = cloned.run_in(shallow, "plan", "--base", old)
    assert done.status == ExitCode.USAGE
    assert "`fetch-depth: 0` of actions/checkout" in done.err


def test_without_git_or_a_repository_it_says_so(home: Home) -> None:
    done = home("plan", "--base", "main")
    assert done.status == ExitCode.FAILED
    assert "is not in a repository of git" in done.err
    done = home("plan", "--base", "main", PATH="/nowhere")
    assert done.status == ExitCode.FAILED
    assert "git is not installed" in done.err


def test_connectors_outside_of_the_repository_have_no_commit(cloned: Home) -> None:
    elsewhere = cloned.folder.parent / "elsewhere" / "connectors.d"
    shutil.copytree(cloned.config, elsewhere)
    git(elsewhere.parent, "init", "-q")
    (elsewhere.parent / "reconciler.yaml").write_text("{}\n")
    linked = cloned.folder / "linked"
    linked.symlink_to(elsewhere)
    done = cloned("plan", "-c", str(linked), "--base", "main")
    assert done.status in {ExitCode.USAGE, ExitCode.FAILED}
    assert "Plan:" not in done.out


def test_the_problems_of_the_commit_are_placed_in_the_commit(cloned: Home) -> None:
    path = cloned.write("broken.yaml", "kind: EmailConnector\nname: Broken Name\n")
    cloned.write("again.yaml", ACCOUNT.format(name="info"))
    commit(cloned)
    path.unlink()
    cloned.remove("again.yaml")
    done = cloned("plan", "--base", "main", "--report", "json=r.json", "--report", "gitlab=r.gl")
    assert done.status == ExitCode.CONFIGURATION_INVALID
    assert "main:connectors.d/broken.yaml:2:" in done.err
    assert "The configuration of main is not valid: " in done.err
    assert "reconciler-base-" not in done.said
    report = json.loads((cloned.folder / "r.json").read_text())
    assert (report["error"], report["diagnostics"]) == (
        "the configuration of main is not valid",
        [],
    )
    assert json.loads((cloned.folder / "r.gl").read_text()) == []


def test_the_problems_of_the_files_come_first(cloned: Home) -> None:
    cloned.write("broken.yaml", "kind: EmailConnector\nname: Broken Name\n")
    done = cloned("plan", "--base", "main", "--report", "markdown=r.md")
    assert done.status == ExitCode.CONFIGURATION_INVALID
    text = (cloned.folder / "r.md").read_text()
    assert "#### Problems of the configuration" in text
    assert "connectors.d/broken.yaml:2:" in text


# --- what a repository could try ------------------------------------------------------------------


@pytest.fixture
def ran(cloned: Home) -> Path:
    """A file that is there once a program of the repository ran; its configuration names the program everywhere."""
    mark = cloned.folder.parent / "ran"
    program = cloned.folder.parent / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.askPass", "core.editor",
                 "diff.external", "filter.odd=name.clean", "filter.odd=name.smudge", "filter.x.process",
                 "diff.odd.textconv", "core.alternateRefsCommand", "uploadpack.packObjectsHook",
                 "remote.origin.uploadpack", "credential.helper", "alias.ls-tree"):  # fmt: skip
        git(cloned.folder, "config", name, str(program))
    git(cloned.folder, "config", "core.hooksPath", str(program.parent))
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit"):
        shutil.copy(program, program.parent / hook)
    (cloned.folder / ".gitattributes").write_text("*.yaml filter=odd=name diff=odd\n")
    (cloned.config / ".gitattributes").write_text("[attr]odd filter=x\nroles.yaml filter=x\n")
    return mark


def test_git_runs_nothing_that_the_repository_names(cloned: Home, ran: Path) -> None:
    for path in cloned.config.glob("*.yaml"):  # so that git has to look into them
        os.utime(path, (1, 1))
    done = cloned("plan", "--base", "main", "--detailed-exitcode")
    assert done.status == 0, done.said
    assert not ran.exists()
    cloned.apply_untested()
    assert not ran.exists()
    revision = cloned("history", "--format", "json").out
    assert git(cloned.folder, "rev-parse", "HEAD") in revision
    subprocess.run(["git", "status"], cwd=cloned.folder, capture_output=True, check=False)
    assert ran.exists(), "the programs would have run"


@pytest.mark.parametrize("remote", ["ext::{}", "ssh://host.invalid/x", "file://{}"])
def test_a_partial_clone_fetches_nothing(cloned: Home, ran: Path, remote: str) -> None:
    mark, program = ran, ran.parent / "program.sh"
    blob = git(cloned.folder, "rev-parse", "main:connectors.d/info.yaml")
    (cloned.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for name, value in (("core.repositoryFormatVersion", "1"), ("extensions.partialClone", "origin"),
                        ("remote.origin.promisor", "true"), ("protocol.allow", "always"),
                        ("protocol.ext.allow", "always"), ("remote.origin.url", remote.format(program))):  # fmt: skip
        git(cloned.folder, "config", name, value)
    done = cloned("plan", "--base", "main")
    assert done.status == ExitCode.FAILED, done.said
    assert "incomplete, and nothing is fetched" in done.err
    assert not mark.exists()


def _forged(folder: Path, *entries: tuple[str, str, str]) -> str:
    """Write a tree that git itself would not make; returns its commit."""
    raw = b"".join(
        f"{mode} {name}\0".encode() + bytes.fromhex(item) for mode, name, item in entries
    )
    made: Any = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
        cwd=folder, input=raw, capture_output=True, check=True,
    )  # fmt: skip
    return git(folder, "commit-tree", "-m", "forged", made.stdout.decode().strip())


@pytest.mark.parametrize("trick", ["parent", "link"])
def test_a_forged_tree_writes_nothing_elsewhere(trick: str, cloned: Home) -> None:
    blob = git(cloned.folder, "hash-object", "-w", "--stdin", stdin="kind: Group\nname: x\n")
    inner = git(cloned.folder, "mktree", stdin=f"100644 blob {blob}\tx.yaml\n")
    outside = cloned.folder.parent / "outside"
    outside.mkdir()
    if trick == "parent":
        up = inner
        for part in reversed(outside.parts[1:]):
            up = _tree(cloned.folder, ("40000", part, up))
        for _ in range(8):  # from a temporary folder up to the root
            up = _tree(cloned.folder, ("40000", "..", up))
        commit_id = _forged(cloned.folder, ("40000", "connectors.d", up))
    else:
        link = git(cloned.folder, "hash-object", "-w", "--stdin", stdin=str(outside))
        folder = _tree(cloned.folder, ("120000", "a", link), ("40000", "a", inner))
        commit_id = _forged(cloned.folder, ("40000", "connectors.d", folder))
    done = cloned("plan", "--base", commit_id)
    assert done.status != 0
    assert "Traceback" not in done.said
    assert list(outside.iterdir()) == []


def _tree(folder: Path, *entries: tuple[str, str, str]) -> str:
    return git(folder, "rev-parse", f"{_forged(folder, *entries)}^{{tree}}")


def test_a_link_of_the_commit_that_leads_out_is_a_problem_of_the_commit(cloned: Home) -> None:
    link = cloned.config / "out.yaml"
    for target in ("/etc/passwd", "../../../../../../etc/passwd", "../.git/config"):
        link.symlink_to(target)
        base = commit(cloned)
        link.unlink()
        done = cloned("plan", "--base", base)
        assert done.status == ExitCode.CONFIGURATION_INVALID
        assert "leads out of the configuration folder" in done.err
        commit(cloned)


def test_a_file_that_is_too_large_is_not_read_completely(cloned: Home) -> None:
    path = cloned.write("huge.yaml", "# " + "x" * 2**21 + "\n")
    base = commit(cloned)
    path.unlink()
    done = cloned("plan", "--base", base)
    assert done.status == ExitCode.CONFIGURATION_INVALID
    assert f"{base}:connectors.d/huge.yaml: " in done.err
    assert "larger than 1024 KiB" in done.err
