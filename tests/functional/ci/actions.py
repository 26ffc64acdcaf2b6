"""A small interpreter of GitHub workflows: the steps of a job as GitHub runs them, on this machine.

It knows what the recipes use: `run`, composite actions, the checkout, artifacts, needs, a matrix, conditions, and
the rule that the run of a fork gets neither secrets nor variables nor a token that writes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML

from tests.interpreter import LOCALE
from tests.shell_programs import write_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT: Final = Path(__file__).parents[3]
ACTION: Final = "contoso/reconciler"
READS, WRITES = "token-that-reads", "token-that-writes"
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(==|!=|&&|\|\||[!(),])|([\w.-]+))")


class Expression:
    """The value of an expression, by GitHub's rules as far as the recipes need them."""

    def __init__(
        self, text: str, context: Mapping[str, Any], functions: Mapping[str, Callable[[], bool]]
    ) -> None:
        self._context, self._functions = context, functions
        self._tokens: list[tuple[str, str, str]] = _TOKEN.findall(text)
        assert "".join("".join(t) for t in self._tokens) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text), text  # fmt: skip
        self.value = self._any()
        assert not self._tokens, text

    def _take(self, *signs: str) -> str:
        if self._tokens and self._tokens[0][1] in signs and self._tokens[0][1]:
            return self._tokens.pop(0)[1]
        return ""

    def _any(self) -> Any:
        left = self._all()
        while self._take("||"):
            right = self._all()
            left = left or right
        return left

    def _all(self) -> Any:
        left = self._compared()
        while self._take("&&"):
            right = self._compared()
            left = left and right
        return left

    def _compared(self) -> Any:
        left = self._single()
        while sign := self._take("==", "!="):
            same = shown(left).casefold() == shown(self._single()).casefold()
            left = same if sign == "==" else not same
        return left

    def _single(self) -> Any:
        if self._take("!"):
            return not self._single()
        if self._take("("):
            value = self._any()
            assert self._take(")")
            return value
        text, _, name = self._tokens.pop(0)
        if text:
            return text[1:-1].replace("''", "'")
        if self._take("("):
            assert self._take(")")
            return self._functions[name]()
        found: Any = self._context
        for part in name.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        return found


def shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


@dataclass
class Step:
    """What a step came to, and the environment that it was given."""

    name: str
    outcome: str
    outputs: dict[str, str]
    environ: dict[str, str]
    said: str


@dataclass
class Job:
    """What a job came to."""

    outcome: str
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    summary: str = ""

    @property
    def said(self) -> str:
        return "\n".join(step.said for step in self.steps)


@dataclass
class Run:
    """The run of a workflow."""

    number: int
    jobs: dict[str, Job]

    @property
    def conclusion(self) -> str:
        return "failure" if any(j.outcome == "failure" for j in self.jobs.values()) else "success"


@dataclass
class Event:
    """What starts a run: on which commit, with which payload, and whether it comes from a fork."""

    name: str
    commit: str
    payload: dict[str, Any] = field(default_factory=dict)
    fork: bool = False


@dataclass
class GitHub:
    """A repository with its settings. ``secrets`` are by environment, "" for those of the repository."""

    folder: Path
    origin: Path
    environ: dict[str, str]
    api: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    runs: int = 0

    def run(self, workflow: Path, event: Event) -> Run:
        """Run a workflow; its jobs one after the other."""
        self.runs += 1
        document = YAML(typ="safe").load(workflow.read_text("utf-8"))
        assert event.name in document[True if True in document else "on"]
        run = Run(self.runs, {})
        for name, job in document["jobs"].items():
            matrix = job.get("strategy", {}).get("matrix", {})
            for index, values in enumerate(_combinations(matrix)):
                label = name if not matrix else f"{name} {index + 1}"
                run.jobs[label] = self._job(document, job, values, event, run)
        return run

    def _job(self, document: Any, job: Any, matrix: dict[str, Any], event: Event, run: Run) -> Job:
        needed = job.get("needs", [])
        needs = [needed] if isinstance(needed, str) else needed
        before = {n: j for n, j in run.jobs.items() if n.partition(" ")[0] in needs}
        permissions = job.get("permissions", document.get("permissions") or {})
        writes = permissions.get("pull-requests") == "write" and not event.fork
        place = self.folder / f"runner-{self.runs}-{len(run.jobs)}"
        work, temp = place / "work", place / "temp"
        work.mkdir(parents=True)
        _ready_made(temp / "reconciler-venv")
        (place / "event.json").write_text(json.dumps(event.payload))
        secrets = {**self.secrets.get("", {}), **self.secrets.get(job.get("environment", ""), {})}
        context: dict[str, Any] = {
            "github": {"token": WRITES if writes else READS, "event": event.payload,
                       "event_name": event.name, "ref": "refs/heads/main"},
            "runner": {"temp": str(temp)}, "matrix": matrix, "steps": {},
            "vars": {} if event.fork else self.variables,
            "secrets": {} if event.fork else secrets,
            "needs": {n: {"outputs": j.outputs} for n, j in before.items()},
        }  # fmt: skip
        environ = {
            **self.environ, "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_API_URL": self.api,
            "GITHUB_ACTOR": self.environ.get("RECONCILER_ACTOR", "ada"), "GITHUB_SHA": event.commit,
            "GITHUB_REPOSITORY": "contoso/mail", "GITHUB_EVENT_PATH": str(place / "event.json"),
            "GITHUB_STEP_SUMMARY": str(place / "summary.md"), "RUNNER_TEMP": str(temp),
        }  # fmt: skip
        failed = any(item.outcome == "failure" for item in before.values())
        if not _holds(job.get("if"), context, failed=failed) or (failed and "if" not in job):
            return Job("skipped")
        done = Job("success")
        self._steps(job["steps"], context, environ, work, event, run, done)
        outputs = {n: _filled(v, context) for n, v in job.get("outputs", {}).items()}
        summary = place / "summary.md"
        done.outputs, done.summary = outputs, summary.read_text() if summary.exists() else ""
        return done

    def _steps(
        self, steps: Any, context: dict[str, Any], environ: dict[str, str], work: Path,
        event: Event, run: Run, job: Job,
    ) -> None:  # fmt: skip
        for number, step in enumerate(steps):
            if not _holds(step.get("if"), context, failed=job.outcome == "failure"):
                continue
            given = {n: _filled(v, context) for n, v in step.get("env", {}).items()}
            own = {**environ, **given}
            inputs = {n: _filled(v, context) for n, v in step.get("with", {}).items()}
            uses = step.get("uses", "run").partition("@")[0]
            name = step.get("id", f"{uses} {number}")
            outputs: dict[str, str] = {}
            said, fine = "", True
            if uses == "run":
                folder = work / _filled(step.get("working-directory", "."), context)
                fine, said, outputs = _shell(_filled(step["run"], context), own, folder)
            elif uses == "actions/checkout":
                self._checkout(work, event, inputs)
            elif uses == "actions/upload-artifact":
                _copy(work / inputs["path"], self._artifact(run.number, inputs["name"]))
            elif uses == "actions/download-artifact":
                fine = self._download(inputs, run)
            else:
                assert uses == ACTION, uses
                fine, said, outputs = self._composite(inputs, context, own, work, event, run)
            outcome = "success" if fine else "failure"
            job.steps.append(Step(name, outcome, outputs, own, said))
            context["steps"][name] = {"outputs": outputs, "outcome": outcome}
            if not fine and not step.get("continue-on-error"):
                job.outcome = "failure"

    def _composite(
        self, inputs: dict[str, str], context: dict[str, Any], environ: dict[str, str],
        work: Path, event: Event, run: Run,
    ) -> tuple[bool, str, dict[str, str]]:  # fmt: skip
        action = YAML(typ="safe").load((ROOT / "action.yml").read_text("utf-8"))
        assert inputs.keys() <= action["inputs"].keys()
        default = {n: _filled(v.get("default", ""), context) for n, v in action["inputs"].items()}
        inner = {**context, "inputs": {**default, **inputs}, "steps": {}, "secrets": {}}
        job = Job("success")
        environ = {**environ, "GITHUB_ACTION_PATH": str(ROOT)}
        self._steps(action["runs"]["steps"], inner, environ, work, event, run, job)
        outputs = {n: _filled(v["value"], inner) for n, v in action["outputs"].items()}
        return job.outcome == "success", job.said, outputs

    def _checkout(self, work: Path, event: Event, inputs: dict[str, str]) -> None:
        assert inputs["persist-credentials"] == "false"
        depth = int(inputs.get("fetch-depth", "1"))
        for words in (
            ("init", "-q"),
            ("remote", "add", "origin", f"file://{self.origin}"),
            ("fetch", "-q", *((f"--depth={depth}",) if depth else ()), "origin", event.commit),
            ("checkout", "-q", "--detach", "FETCH_HEAD"),
        ):
            subprocess.run(["git", *words], cwd=work, check=True, capture_output=True)

    def _artifact(self, run: int, name: str) -> Path:
        return self.folder / "artifacts" / str(run) / name

    def _download(self, inputs: dict[str, str], run: Run) -> bool:
        number = int(inputs.get("run-id", run.number))
        to = Path(inputs["path"])
        if "name" in inputs:
            if not self._artifact(number, inputs["name"]).exists():
                return False
            shutil.copytree(self._artifact(number, inputs["name"]), to, symlinks=True)
            return True
        for found in self._artifact(number, "").glob(inputs["pattern"]):
            shutil.copytree(found, to / found.name)
        return True


def _combinations(matrix: dict[str, list[Any]]) -> list[dict[str, Any]]:
    assert len(matrix) <= 1
    for name, values in matrix.items():
        return [{name: value} for value in values]
    return [{}]


def _filled(value: Any, context: Mapping[str, Any]) -> str:
    return re.sub(
        r"\$\{\{(.*?)\}\}",
        lambda found: shown(Expression(found[1].strip(), context, {}).value),
        shown(value),
    )


def _holds(condition: Any, context: Mapping[str, Any], *, failed: bool) -> bool:
    if condition is None:
        return not failed
    text = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", str(condition).strip()).strip()
    functions: dict[str, Callable[[], bool]] = {
        "always": lambda: True, "cancelled": lambda: False,
        "failure": lambda: failed, "success": lambda: not failed,
    }  # fmt: skip
    value = bool(Expression(text, context, functions).value)
    return value if any(f"{name}()" in text for name in functions) else value and not failed


def _shell(script: str, environ: dict[str, str], folder: Path) -> tuple[bool, str, dict[str, str]]:
    output = Path(environ["RUNNER_TEMP"]).parent / "output"
    output.write_text("")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder, env={**environ, "GITHUB_OUTPUT": str(output)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=110, check=False,
    )  # fmt: skip
    lines = [line.partition("=") for line in output.read_text().splitlines()]
    return done.returncode == 0, done.stdout, {name: value for name, _, value in lines}


def _copy(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    assert path.is_file(), path
    shutil.copy(path, folder / path.name)


def _ready_made(folder: Path) -> None:
    """The environment that `packaging/ci/install` would make: the one that the tests run in."""
    (folder / "bin").mkdir(parents=True)
    write_program(folder / "bin" / "python")
    (folder / "installed").touch()


def environment(**more: str) -> dict[str, str]:
    """What a runner gives every step."""
    kept = {key: text for key, text in os.environ.items() if key == "PATH" or key.startswith("COV")}
    return {**kept, "LANG": LOCALE, **more}
