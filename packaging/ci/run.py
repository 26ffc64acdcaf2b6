"""Runs one command for the action, with every report, and writes the outputs of the step.

It reads ACTION_COMMAND, ACTION_ARGUMENTS (one on each line) and ACTION_RULES; the command gets the rest of the
environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

BASIC = ("json", "markdown", "junit")
PLACED = (*BASIC, "sarif", "gitlab")
COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fmt": (("fmt", "--check"), PLACED),
    "validate": (("validate", "--format", "github"), PLACED),
    "plan": (("plan", "--detailed-exitcode"), PLACED),
    "test": (("test",), BASIC),
    "merge": (("test", "merge"), BASIC),
    "apply": (("apply", "--auto-approve", "--lock-timeout", "10m"), PLACED),
    "drift": (("drift",), BASIC),
}
"""How the action calls each command, and the reports that it writes."""

ENDINGS = {
    "json": "json",
    "markdown": "md",
    "junit": "xml",
    "sarif": "sarif",
    "gitlab": "gitlab.json",
}
USAGE = 64
CHANGES = 2
MOST_OF_A_SUMMARY = 1024 * 1024


def main() -> int:
    """Return the exit code of the step: that of the command, but 0 for a plan with changes."""
    command = os.environ.pop("ACTION_COMMAND", "")
    if command not in COMMANDS:
        sys.stderr.write(
            f"unknown command {command!r}: expected one of {', '.join(COMMANDS)}, comment\n"
        )
        return USAGE
    words, formats = COMMANDS[command]
    temporary = Path(os.environ["RUNNER_TEMP"])
    folder = temporary / f"reconciler-{command}"
    folder.mkdir(exist_ok=True)
    reports = {name: folder / f"{command}.{ENDINGS[name]}" for name in formats}
    for path in reports.values():  # of an earlier step
        path.unlink(missing_ok=True)
    _write_rules(temporary / "reconciler-rules.yaml", os.environ.pop("ACTION_RULES", ""))
    given = [line.strip() for line in os.environ.pop("ACTION_ARGUMENTS", "").splitlines()]
    if command == "merge":  # a folder stands for the reports in it
        given = [str(path) for name in given if name for path in sorted(Path(name).rglob("*.json"))]
    written = [word for name, path in reports.items() for word in ("--report", f"{name}={path}")]
    code = subprocess.run(
        [sys.executable, "-I", "-m", "reconciler", *words, *written, *filter(None, given)],
        check=False,
    ).returncode
    _output(command, code, reports)
    return 0 if command == "plan" and code == CHANGES else code


def _write_rules(path: Path, text: str) -> None:
    """Put the rules where no checkout can bring them along, and where nobody else can write."""
    if not text.strip():
        return
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text.rstrip("\n") + "\n")
    os.environ["RECONCILER_POLICY"] = str(path)


def _output(command: str, code: int, reports: dict[str, Path]) -> None:
    """Write the outputs, and the Markdown into the summary of the job. No value comes from a text of the report."""
    found: dict[str, Any] = {}
    if reports["json"].exists():
        found = json.loads(reports["json"].read_text("utf-8"))
    plan = found.get("plan") or {} if command == "apply" else found
    summary = plan.get("summary") or {}
    tests = found.get("tests") if command == "apply" else found
    connectors = tests.get("connectors") if isinstance(tests, dict) else None
    changed = found.get("outcome") == "applied" if command == "apply" else code == CHANGES
    values: dict[str, object] = {
        "exit-code": code,
        "changed": "true" if changed else "false",
        **{name: int(summary.get(name, 0)) for name in ("add", "change", "destroy")},
        "errors": sum(item.get("severity") == "error" for item in found.get("diagnostics") or ()),
        "failed": sum(not item.get("passed", True) for item in connectors or ()),
        **{name: path if path.exists() else "" for name, path in reports.items()},
    }
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as stream:
        stream.writelines(f"{name}={value}\n" for name, value in values.items())
    markdown = reports["markdown"]
    if markdown.exists() and markdown.stat().st_size < MOST_OF_A_SUMMARY:
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as stream:
            stream.write(markdown.read_text("utf-8") + "\n")


if __name__ == "__main__":
    sys.exit(main())
