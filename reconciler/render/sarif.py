"""Problems of the configuration as SARIF, for code scanning.

The format is OASIS' Static Analysis Results Interchange Format 2.1.0
(https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html); what GitHub shows of it is described at
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.
"""

from __future__ import annotations

import json
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from reconciler.ci_systems import escape_commands
from reconciler.model.resource import digest
from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.diagnostics import Diagnostic
    from reconciler.render.source_root import SourceRoot

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_TOP: Final = "%SRCROOT%"
"""The top of the repository, for GitHub and editors."""


def sarif(
    problems: Sequence[Diagnostic], root: SourceRoot, *, command: str, error: str | None = None
) -> str:
    """One run with every problem; ``error`` says why the command ended early."""
    rules = sorted({item.rule for item in problems})
    numbers = {rule: number for number, rule in enumerate(rules)}
    prints = fingerprints(problems, root)
    invocation: dict[str, Any] = {"executionSuccessful": error is None}
    if error is not None:
        invocation["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": visible(error)}}
        ]
    run = {
        "tool": {
            "driver": {
                "name": "reconciler",
                "version": version("mail-reconciler"),
                "rules": [{"id": rule, "shortDescription": {"text": rule}} for rule in rules],
            }
        },
        "automationDetails": {"id": f"reconciler {command}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": [
            _result(item, numbers[item.rule], mark, root)
            for item, mark in zip(problems, prints, strict=True)
        ],
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return escape_commands(json.dumps(document, indent=2, ensure_ascii=False))


def _result(item: Diagnostic, number: int, mark: str, root: SourceRoot) -> dict[str, Any]:
    text = f"{item.message} {item.hint}".strip()
    result: dict[str, Any] = {
        "ruleId": item.rule,
        "ruleIndex": number,
        "level": item.severity.value,
        "message": {"text": _plain(visible(text))},
        "partialFingerprints": {"reconcilerProblem/v1": mark},
    }
    if item.file:
        uri, below = root.uri(item.file)
        place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
        if below:
            place["artifactLocation"]["uriBaseId"] = _TOP
        if item.line:
            place["region"] = {"startLine": item.line, "startColumn": max(item.column, 1)}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _plain(text: str) -> str:
    """Escape the syntax of SARIF messages: links (3.11.6) and placeholders (3.11.5)."""
    if "](" in text:
        text = text.replace("[", "\\[").replace("]", "\\]")
    return text.replace("{", "{{").replace("}", "}}")


def fingerprints(problems: Sequence[Diagnostic], root: SourceRoot) -> list[str]:
    """Unique fingerprints of problems, wherever they move in a file.

    They do not depend on the line, so that adding a line above makes no new problem.
    """
    seen: Counter[str] = Counter()
    found = []
    for item in problems:
        same = digest([item.rule, visible(root.path(item.file)), visible(item.message)])
        seen[same] += 1
        found.append(digest([same, seen[same]]).rpartition(":")[2])
    return found
